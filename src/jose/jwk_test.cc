#include <gtest/gtest.h>

#include "jose/jws.h"

namespace writ::jose {
namespace {

Result<Jwk> jwk(std::string_view text) {
    Result<json::Document> doc = json::parse(text);
    EXPECT_TRUE(doc) << text;
    return Jwk::parse(doc->root());
}

constexpr std::string_view kX = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
constexpr std::string_view kY = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";

std::string ec(std::string_view more = "") {
    return R"({"kty":"EC","crv":"P-256","x":")" + std::string(kX) + R"(","y":")" + std::string(kY) +
           "\"" + std::string(more) + "}";
}

// The key and `jkt` of RFC 9449 sections 4.1 and 6.1.
TEST(Jwk, Rfc9449ThumbprintOfAnEcKey) {
    Jwk key = jwk(ec()).value();
    EXPECT_EQ(key.alg(), "ES256");
    EXPECT_EQ(key.thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

TEST(Jwk, Rfc8037ThumbprintOfAnEd25519Key) {
    Jwk key =
        jwk(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})")
            .value();
    EXPECT_EQ(key.alg(), "EdDSA");
    EXPECT_EQ(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(Jwk, ThumbprintIgnoresWhatDoesNotMakeTheKey) {
    EXPECT_EQ(jwk(ec(R"(,"kid":"a","alg":"ES256","use":"sig","x-more":[1])"))->thumbprint(),
              jwk(ec())->thumbprint());
}

TEST(Jwk, MissingKidBecomesTheThumbprint) {
    EXPECT_EQ(jwk(ec())->kid, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    EXPECT_EQ(jwk(ec(R"(,"kid":"k1")"))->kid, "k1");
    EXPECT_FALSE(jwk(ec(R"(,"kid":1)")));
}

TEST(Jwk, SurvivesItsJson) {
    Jwk key = jwk(ec(R"(,"kid":"k1")")).value();
    EXPECT_EQ(key.to_json().dump(),
              R"({"alg":"ES256","crv":"P-256","kid":"k1","kty":"EC","use":"sig","x":")" +
                  std::string(kX) + R"(","y":")" + std::string(kY) + "\"}");
    Jwk again = jwk(key.to_json().dump()).value();
    EXPECT_EQ(again.key, key.key);
    EXPECT_EQ(again.kid, "k1");
}

TEST(Jwk, RefusesPrivateMembers) {
    for (std::string_view member : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
        Result<Jwk> key = jwk(ec(",\"" + std::string(member) + "\":\"AA\""));
        ASSERT_FALSE(key) << member;
        EXPECT_EQ(key.error().code, ErrorCode::kInvalid);
    }
}

TEST(Jwk, RefusesOtherKindsOfKeys) {
    EXPECT_FALSE(jwk("[]"));
    EXPECT_FALSE(jwk("{}"));
    EXPECT_FALSE(jwk(R"({"kty":"oct","alg":"HS256"})"));
    EXPECT_FALSE(jwk(R"({"kty":"RSA","n":"AA","e":"AQAB"})"));
    EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})"));
    EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})"));
    EXPECT_FALSE(
        jwk(R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
    EXPECT_FALSE(
        jwk(R"({"kty":"OKP","crv":"P-256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
}

TEST(Jwk, RefusesCoordinatesOfAnotherLengthOrText) {
    EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"));
    std::string x(kX);
    EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"P-256","x":")" + x + "\"}")) << "no y";
    EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"P-256","x":1,"y":")" + std::string(kY) + "\"}"));
    for (const std::string& bad :
         {x + "=", x + "A", x.substr(1), x.substr(0, 42) + "t", x.substr(0, 42) + "+"}) {
        EXPECT_FALSE(jwk(R"({"kty":"EC","crv":"P-256","x":")" + bad + R"(","y":")" +
                         std::string(kY) + "\"}"))
            << bad;
    }
}

TEST(Jwk, RefusesKeysForAnotherPurpose) {
    EXPECT_FALSE(jwk(ec(R"(,"alg":"EdDSA")")));
    EXPECT_FALSE(jwk(ec(R"(,"alg":"none")")));
    EXPECT_FALSE(jwk(ec(R"(,"alg":7)")));
    EXPECT_FALSE(jwk(ec(R"(,"use":"enc")")));
    EXPECT_FALSE(jwk(ec(R"(,"key_ops":["sign"])")));
    EXPECT_FALSE(jwk(ec(R"(,"key_ops":"verify")")));
    EXPECT_TRUE(jwk(ec(R"(,"key_ops":["verify"],"use":"sig","alg":"ES256")")));
}

}  // namespace
}  // namespace writ::jose

// Every way a token is refused, each as an attacker would try it: the token is signed with the
// right key wherever that is possible, so that nothing but the rule under test can stop it.
#include "jose/jws.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"

namespace writ::jose {
namespace {

constexpr std::string_view kTyp = "writ+jwt";

std::string b64(std::string_view text) {
    return to_base64url(as_bytes(text));
}

class Jws : public testing::Test {
  protected:
    const crypto::Es256Key key_ = crypto::Es256Key::generate();
    const crypto::Ed25519Key edwards_ = crypto::Ed25519Key::generate();
    const std::vector<Jwk> keys_ = {{key_.public_key(), "k1"}, {edwards_.public_key(), "e1"}};

    // A token with this header and payload, as they stand, signed with the ES256 key.
    std::string with_header(std::string_view header, std::string_view payload = "{}") const {
        return signed_parts(b64(header) + "." + b64(payload));
    }
    std::string signed_parts(const std::string& input) const {
        return input + "." + to_base64url(key_.sign(as_bytes(input)));
    }
    std::string good() const { return sign_es256(key_, "k1", kTyp, R"({"sub":"a"})"); }

    // The detail of the refusal, or `accepted`.
    std::string refusal(const std::string& token) const {
        Result<Verified> verified = verify(token, kTyp, keys_);
        if (verified) return "accepted";
        EXPECT_EQ(verified.error().code, ErrorCode::kUnauthenticated);
        return verified.error().detail;
    }
};

TEST_F(Jws, VerifiesWhatItSigns) {
    Verified verified = verify(good(), kTyp, keys_).value();
    EXPECT_EQ(verified.payload, R"({"sub":"a"})");
    EXPECT_EQ(verified.kid, "k1");
}

TEST_F(Jws, SignsBinaryAndEmptyPayloads) {
    std::string payload("\0\xff.", 3);
    EXPECT_EQ(verify(sign_es256(key_, "k1", kTyp, payload), kTyp, keys_)->payload, payload);
    EXPECT_EQ(verify(sign_es256(key_, "k1", kTyp, ""), kTyp, keys_)->payload, "");
}

TEST_F(Jws, VerifiesEdDsa) {
    std::string input = b64(R"({"alg":"EdDSA","kid":"e1","typ":"writ+jwt"})") + "." + b64("x");
    std::string token = input + "." + to_base64url(edwards_.sign(as_bytes(input)));
    EXPECT_EQ(verify(token, kTyp, keys_)->payload, "x");
}

// RFC 7515 appendix A.3. Its header names neither typ nor kid, so only the signature is taken from
// it.
TEST_F(Jws, Rfc7515AppendixA3) {
    std::string input =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
        "NvbS9pc19yb290Ijp0cnVlfQ";
    std::string signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    std::string text =
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
        R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
    json::Document doc = json::parse(text).value();
    Jwk jwk = Jwk::parse(doc.root()).value();
    auto point = std::get<crypto::Es256Key::Public>(jwk.key);
    EXPECT_TRUE(crypto::es256_verify(point, as_bytes(input), from_base64url(signature).value()));
    EXPECT_FALSE(verify(input + "." + signature, kTyp, {jwk}));
}

// RFC 8037 appendix A.4, likewise.
TEST_F(Jws, Rfc8037AppendixA4) {
    std::string input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    std::string signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    Bytes x = from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").value();
    crypto::Ed25519Key::Public point{};
    std::copy(x.begin(), x.end(), point.begin());
    EXPECT_TRUE(crypto::ed25519_verify(point, as_bytes(input), from_base64url(signature).value()));
}

TEST_F(Jws, IgnoresTheApplicationPrefixOfTyp) {
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":"k1","typ":"application/writ+jwt"})")),
              "accepted");
    EXPECT_NE(refusal(with_header(
                  R"({"alg":"ES256","kid":"k1","typ":"application/application/writ+jwt"})")),
              "accepted");
}

TEST_F(Jws, IgnoresHarmlessUnknownMembers) {
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":"k1","typ":"writ+jwt","x5t":"AA"})")),
              "accepted");
}

TEST_F(Jws, RefusesAlgNone) {
    for (std::string alg : {"none", "None", "NONE", "nOnE", ""}) {
        std::string header = R"({"alg":")" + alg + R"(","kid":"k1","typ":"writ+jwt"})";
        EXPECT_EQ(refusal(with_header(header)), "token: alg is not that of the key");
        EXPECT_NE(refusal(b64(header) + "." + b64("{}") + "."), "accepted");
    }
}

TEST_F(Jws, RefusesAlgorithmsOtherThanTheKeys) {
    for (std::string alg : {"HS256", "RS256", "ES384", "ES256K", "EdDSA", "es256", "ES256 "}) {
        EXPECT_EQ(refusal(with_header(R"({"alg":")" + alg + R"(","kid":"k1","typ":"writ+jwt"})")),
                  "token: alg is not that of the key");
    }
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":"e1","typ":"writ+jwt"})")),
              "token: alg is not that of the key");
    EXPECT_EQ(refusal(with_header(R"({"kid":"k1","typ":"writ+jwt"})")), "token: header has no alg");
    EXPECT_EQ(refusal(with_header(R"({"alg":["ES256"],"kid":"k1","typ":"writ+jwt"})")),
              "token: header has no alg");
}

TEST_F(Jws, RefusesAnotherTyp) {
    for (std::string typ : {R"("JWT")", R"("dpop+jwt")", R"("")", R"("application/")", "null", "[]",
                            R"("writ+jwt\u0000")"}) {
        EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":"k1","typ":)" + typ + "}")),
                  "token: typ is not `writ+jwt`");
    }
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":"k1"})")),
              "token: typ is not `writ+jwt`");
    EXPECT_FALSE(verify(sign_es256(key_, "k1", "", "{}"), "", keys_))
        << "no typ is never the right typ";
}

TEST_F(Jws, RefusesUnknownKid) {
    EXPECT_EQ(refusal(sign_es256(key_, "k2", kTyp, "{}")), "token: kid names no known key");
    EXPECT_EQ(refusal(sign_es256(key_, "", kTyp, "{}")), "token: header has no kid");
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","typ":"writ+jwt"})")),
              "token: header has no kid");
    EXPECT_EQ(refusal(with_header(R"({"alg":"ES256","kid":7,"typ":"writ+jwt"})")),
              "token: header has no kid");
    EXPECT_FALSE(verify(good(), kTyp, {}));
}

TEST_F(Jws, RefusesHeadersThatBringAKeyOrChangeTheReading) {
    for (std::string member : {R"("crit":["exp"])", R"("crit":[])", R"("jku":"https://e")",
                               R"("jwk":{})", R"("x5u":"https://e")", R"("x5c":[])",
                               R"("b64":false)", R"("zip":"DEF")", R"("jw\u006b":null)"}) {
        std::string detail =
            refusal(with_header(R"({"alg":"ES256","kid":"k1","typ":"writ+jwt",)" + member + "}"));
        EXPECT_TRUE(detail.starts_with("token: header holds `")) << member << ": " << detail;
    }
}

TEST_F(Jws, RefusesDuplicateHeaderMembers) {
    EXPECT_EQ(refusal(with_header(R"({"alg":"none","alg":"ES256","kid":"k1","typ":"writ+jwt"})")),
              "token: header is not a strict JSON object");
    EXPECT_EQ(
        refusal(with_header(R"({"alg":"ES256","kid":"k1","\u006bid":"k2","typ":"writ+jwt"})")),
        "token: header is not a strict JSON object");
}

TEST_F(Jws, RefusesHeadersThatAreNoObject) {
    for (std::string header :
         {"", "null", "[]", "\"x\"", "{", "{}x", "\xef\xbb\xbf{}", "{\"alg\":\"\xff\"}"}) {
        EXPECT_EQ(refusal(with_header(header)), "token: header is not a strict JSON object")
            << header;
    }
}

TEST_F(Jws, RefusesOtherNumbersOfParts) {
    std::string token = good();
    EXPECT_EQ(refusal(token + "."), "token: not three parts");
    EXPECT_EQ(refusal(token + ".e30"), "token: not three parts");
    EXPECT_EQ(refusal("." + token), "token: not three parts");
    EXPECT_EQ(refusal(token.substr(0, token.rfind('.'))), "token: not three parts");
    EXPECT_EQ(refusal(""), "token: not three parts");
    EXPECT_NE(refusal(".."), "accepted");
}

TEST_F(Jws, RefusesPaddingAndForeignCharacters) {
    std::string header = b64(R"({"alg":"ES256","kid":"k1","typ":"writ+jwt"})");
    for (std::string payload : {"YQ==", "YQ=", "Y+8", "Y/8", "Y Q", "YQ\n", "Y", "\xc3\xa9"}) {
        EXPECT_EQ(refusal(signed_parts(header + "." + payload)),
                  "token: payload is not canonical base64url")
            << payload;
    }
    EXPECT_NE(refusal(signed_parts(header + "=." + b64("{}"))), "accepted");
    EXPECT_NE(refusal(" " + good()), "accepted");
    EXPECT_NE(refusal(good() + "\n"), "accepted");
    EXPECT_NE(refusal(good() + "="), "accepted");
}

TEST_F(Jws, RefusesNonCanonicalTrailingBits) {
    std::string header = b64(R"({"alg":"ES256","kid":"k1","typ":"writ+jwt"})");
    EXPECT_EQ(refusal(signed_parts(header + ".YQ")), "accepted");
    EXPECT_EQ(refusal(signed_parts(header + ".YR")), "token: payload is not canonical base64url");
    std::string token = good();  // 64 bytes leave four unused bits in the last character
    for (char c : {'B', 'C', 'P', 'R', '_'}) {
        std::string twisted = token;
        twisted.back() = c;
        EXPECT_NE(refusal(twisted), "accepted");
    }
}

TEST_F(Jws, LimitsTheSize) {
    std::string payload(3 * kMaxJwsBytes / 4 - 200, 'x');
    EXPECT_EQ(refusal(sign_es256(key_, "k1", kTyp, payload)), "accepted");
    EXPECT_EQ(refusal(sign_es256(key_, "k1", kTyp, payload + std::string(200, 'x'))),
              "token: longer than 8 KiB");
}

TEST_F(Jws, RefusesSignaturesOfAnotherShape) {
    std::string input = b64(R"({"alg":"ES256","kid":"k1","typ":"writ+jwt"})") + "." + b64("{}");
    crypto::Signature raw = key_.sign(as_bytes(input));
    Bytes der = {0x30, 0x44, 0x02, 0x20};
    der.insert(der.end(), raw.begin(), raw.begin() + 32);
    der.insert(der.end(), {0x02, 0x20});
    der.insert(der.end(), raw.begin() + 32, raw.end());
    const std::string kShape = "token: signature is not 64 bytes in canonical base64url";
    EXPECT_EQ(refusal(input + "." + to_base64url(der)), kShape);
    EXPECT_EQ(refusal(input + "."), kShape);
    EXPECT_EQ(refusal(input + "." + to_base64url(ByteView(raw).first(63))), kShape);
    EXPECT_EQ(refusal(input + "." + to_base64url(crypto::Signature{})),
              "token: signature does not verify")
        << "r = s = 0 (CVE-2022-21449)";
}

TEST_F(Jws, RefusesEveryChangedByte) {
    std::string token = good();
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string bad = token;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        EXPECT_NE(refusal(bad), "accepted") << i;
    }
}

TEST_F(Jws, RefusesAnotherKeyUnderTheSameKid) {
    EXPECT_EQ(refusal(sign_es256(crypto::Es256Key::generate(), "k1", kTyp, "{}")),
              "token: signature does not verify");
}

TEST_F(Jws, FindsTheKeyAmongThoseOfOneKid) {
    std::vector<Jwk> keys = {{edwards_.public_key(), "k1"},
                             {crypto::Es256Key::generate().public_key(), "k1"},
                             {key_.public_key(), "k1"}};
    EXPECT_TRUE(verify(good(), kTyp, keys));
}

TEST_F(Jws, NeverQuotesTheTokenInAnError) {
    std::string token = with_header(R"({"alg":"ES256","kid":"CANARY","typ":"CANARY"})", "CANARY");
    EXPECT_EQ(refusal(token).find("CANARY"), std::string::npos);
    token = with_header(R"({"alg":"CANARY","kid":"k1","typ":"writ+jwt"})", "CANARY");
    EXPECT_EQ(refusal(token).find("CANARY"), std::string::npos);
    token = with_header(R"({"alg":"ES256","CANARY":1,"CANARY":2})");
    EXPECT_EQ(refusal(token).find("CANARY"), std::string::npos);
}

}  // namespace
}  // namespace writ::jose

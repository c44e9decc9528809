// Tokens and keys from a stranger. The first byte of the input chooses what the rest is:
// - a whole compact JWS, which must be refused, since the fuzzer cannot sign;
// - a header that is then signed properly: if it is accepted, another parser must find in it what
// the rules demand;
// - a JWK: if it is accepted, it must survive its own JSON with the same thumbprint.
#include <simdjson.h>

#include <cstdint>
#include <string>

#include "base/check.h"
#include "jose/jws.h"

namespace {

using writ::jose::Jwk;

constexpr std::string_view kTyp = "writ+jwt";
constexpr std::string_view kKid = "e1";

const writ::crypto::Ed25519Key& signer() {
    static const auto key = writ::crypto::Ed25519Key::from_seed(writ::Bytes(32, 7)).value();
    return key;
}

const std::vector<Jwk>& keys() {
    static const std::vector<Jwk> list = {
        {signer().public_key(), std::string(kKid)},
        {writ::crypto::Es256Key::generate().public_key(), "k1"},
    };
    return list;
}

void whole_token(std::string_view text) {
    WRIT_CHECK(!writ::jose::verify(text, kTyp, keys()));
}

bool is(const simdjson::dom::element& header, std::string_view name, std::string_view expected) {
    std::string_view found;
    return header[name].get(found) == simdjson::SUCCESS && found == expected;
}

void signed_header(std::string_view header) {
    std::string token = writ::to_base64url(writ::as_bytes(header)) + ".e30";
    writ::crypto::Signature signature = signer().sign(writ::as_bytes(token));
    token += "." + writ::to_base64url(signature);
    writ::Result<writ::jose::Verified> verified = writ::jose::verify(token, kTyp, keys());
    if (!verified) {
        WRIT_CHECK(verified.error().code == writ::ErrorCode::kUnauthenticated);
        return;
    }
    WRIT_CHECK(verified->payload == "{}" && verified->kid == kKid);
    simdjson::dom::parser parser;
    simdjson::dom::element parsed;
    auto error = parser.parse(simdjson::padded_string(header)).get(parsed);
    if (error == simdjson::NUMBER_ERROR) return;  // an ignored member wider than simdjson holds
    WRIT_CHECK(error == simdjson::SUCCESS);
    WRIT_CHECK(is(parsed, "alg", "EdDSA") && is(parsed, "kid", kKid));
    WRIT_CHECK(is(parsed, "typ", kTyp) || is(parsed, "typ", "application/writ+jwt"));
    for (std::string_view name : {"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip"}) {
        WRIT_CHECK(parsed[name].error() == simdjson::NO_SUCH_FIELD);
    }
}

void key(std::string_view text) {
    writ::Result<writ::json::Document> doc = writ::json::parse(text);
    if (!doc) return;
    writ::Result<Jwk> jwk = Jwk::parse(doc->root());
    if (!jwk) return;
    std::string written = jwk->to_json().dump();
    writ::Result<writ::json::Document> again = writ::json::parse(written);
    WRIT_CHECK(again.has_value());
    writ::Result<Jwk> same = Jwk::parse(again->root());
    WRIT_CHECK(same.has_value() && same->key == jwk->key && same->kid == jwk->kid);
    WRIT_CHECK(same->thumbprint() == jwk->thumbprint());
    writ::jose::verify("e30.e30.", kTyp, {*jwk});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 16 << 10) return 0;
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 't':
            whole_token(rest);
            break;
        case 'h':
            signed_header(rest);
            break;
        case 'k':
            key(rest);
            break;
        default:
            return -1;  // not worth keeping
    }
    return 0;
}

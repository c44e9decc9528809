#include "jose/jws.h"

#include <array>

#include "base/bytes.h"

namespace writ::jose {

namespace {

constexpr std::size_t kHeaderDepthMax = 8;
constexpr std::array<std::string_view, 7> kRefusedMembers = {"crit", "jku", "jwk", "x5u",
                                                             "x5c",  "b64", "zip"};

tl::unexpected<Error> refuse(std::string_view why) {
    return fail(ErrorCode::kUnauthenticated, "token: " + std::string(why));
}

struct Parts {
    std::string_view header, payload, signature;
    std::string_view signed_bytes;  // header.payload
};

std::optional<Parts> split(std::string_view token) {
    std::size_t first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    std::size_t second = token.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    if (token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
    return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                 token.substr(second + 1), token.substr(0, second)};
}

struct Header {
    std::string alg, kid;
};

Result<Header> read_header(std::string_view part, std::string_view typ) {
    std::optional<Bytes> bytes = from_base64url(part);
    if (!bytes) return refuse("header is not canonical base64url");
    Result<json::Document> doc =
        json::parse(as_text(*bytes), {.bytes_max = kMaxJwsBytes, .depth_max = kHeaderDepthMax});
    if (!doc || !doc->root().is_object()) return refuse("header is not a strict JSON object");
    json::Value header = doc->root();
    for (std::string_view name : kRefusedMembers) {
        if (header.find(name)) return refuse("header holds `" + std::string(name) + "`");
    }
    constexpr std::string_view kPrefix = "application/";
    std::string_view found = header.string("typ").value_or("");
    if (found.starts_with(kPrefix)) found.remove_prefix(kPrefix.size());
    if (found.empty() || found != typ) return refuse("typ is not `" + std::string(typ) + "`");
    std::optional<std::string_view> alg = header.string("alg");
    std::optional<std::string_view> kid = header.string("kid");
    if (!alg) return refuse("header has no alg");
    if (!kid || kid->empty()) return refuse("header has no kid");
    return Header{std::string(*alg), std::string(*kid)};
}

bool verifies(const Jwk& jwk, ByteView message, ByteView signature) {
    if (const auto* point = std::get_if<crypto::Es256Key::Public>(&jwk.key)) {
        return crypto::es256_verify(*point, message, signature);
    }
    return crypto::ed25519_verify(std::get<crypto::Ed25519Key::Public>(jwk.key), message,
                                  signature);
}

}  // namespace

std::string sign_es256(const crypto::Es256Key& key, std::string_view kid, std::string_view typ,
                       std::string_view payload) {
    json::Node header = json::Node::object();
    header["alg"] = "ES256";
    header["kid"] = kid;
    header["typ"] = typ;
    std::string token = to_base64url(as_bytes(header.dump()));
    token += '.';
    token += to_base64url(as_bytes(payload));
    crypto::Signature signature = key.sign(as_bytes(token));
    token += '.';
    token += to_base64url(signature);
    return token;
}

// RFC 7515 section 5.2, with the choices of RFC 8725: the key, found by kid, fixes the algorithm
// (3.1), and typ says what kind of token this is (3.11).
Result<Verified> verify(std::string_view token, std::string_view typ,
                        const std::vector<Jwk>& keys) {
    if (token.size() > kMaxJwsBytes) return refuse("longer than 8 KiB");
    std::optional<Parts> parts = split(token);
    if (!parts) return refuse("not three parts");
    Result<Header> header = read_header(parts->header, typ);
    if (!header) return fail(header.error());
    std::optional<Bytes> payload = from_base64url(parts->payload);
    if (!payload) return refuse("payload is not canonical base64url");
    std::optional<Bytes> signature = from_base64url(parts->signature);
    if (!signature || signature->size() != crypto::Signature().size()) {
        return refuse("signature is not 64 bytes in canonical base64url");
    }
    bool kid_known = false;
    bool alg_fits = false;
    for (const Jwk& jwk : keys) {
        if (jwk.kid != header->kid) continue;
        kid_known = true;
        if (jwk.alg() != header->alg) continue;
        alg_fits = true;
        if (verifies(jwk, as_bytes(parts->signed_bytes), *signature)) {
            return Verified{std::string(as_text(*payload)), std::move(header->kid)};
        }
    }
    if (!kid_known) return refuse("kid names no known key");
    return refuse(alg_fits ? "signature does not verify" : "alg is not that of the key");
}

}  // namespace writ::jose

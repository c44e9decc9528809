#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "jose/jws.h"

namespace writ::jose {

namespace {

using crypto::Ed25519Key;
using crypto::Es256Key;

// RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2.
constexpr std::array<std::string_view, 8> kPrivateMembers = {"d",  "p",  "q",   "dp",
                                                             "dq", "qi", "oth", "k"};

Status read_coordinate(const json::Value& jwk, std::string_view name,
                       std::array<std::uint8_t, 32>& out) {
    std::optional<std::string_view> text = jwk.string(name);
    std::optional<Bytes> bytes = text ? from_base64url(*text) : std::nullopt;
    if (!bytes || bytes->size() != out.size()) {
        return fail(ErrorCode::kInvalid,
                    "jwk: `" + std::string(name) + "` is not 32 bytes in base64url");
    }
    std::copy(bytes->begin(), bytes->end(), out.begin());
    return {};
}

// `alg`, `use` and `key_ops`, where present, must allow verifying with the key.
Status check_purpose(const json::Value& value, std::string_view alg) {
    if (value.find("alg") && value.string("alg") != alg) {
        return fail(ErrorCode::kInvalid, "jwk: `alg` is not " + std::string(alg));
    }
    if (value.find("use") && value.string("use") != "sig") {
        return fail(ErrorCode::kInvalid, "jwk: `use` is not `sig`");
    }
    if (std::optional<json::Value> operations = value.find("key_ops")) {
        std::vector<json::Value> listed = operations->elements();
        bool verifies = std::any_of(listed.begin(), listed.end(),
                                    [](const json::Value& v) { return v.as_string() == "verify"; });
        if (!verifies) return fail(ErrorCode::kInvalid, "jwk: `key_ops` does not hold `verify`");
    }
    return {};
}

// The members that make the key, and nothing else (RFC 7638 section 3.2).
json::Node required_members(const Jwk& jwk) {
    json::Node out = json::Node::object();
    if (const auto* point = std::get_if<Es256Key::Public>(&jwk.key)) {
        out["crv"] = "P-256";
        out["kty"] = "EC";
        out["x"] = to_base64url(point->x);
        out["y"] = to_base64url(point->y);
    } else {
        out["crv"] = "Ed25519";
        out["kty"] = "OKP";
        out["x"] = to_base64url(std::get<Ed25519Key::Public>(jwk.key));
    }
    return out;
}

}  // namespace

std::string_view Jwk::alg() const {
    return std::holds_alternative<Es256Key::Public>(key) ? "ES256" : "EdDSA";
}

json::Node Jwk::to_json() const {
    json::Node out = required_members(*this);
    out["kid"] = kid;
    out["alg"] = alg();
    out["use"] = "sig";
    return out;
}

std::string Jwk::thumbprint() const {
    return to_base64url(crypto::sha256(required_members(*this).dump()));
}

Result<Jwk> Jwk::parse(const json::Value& value) {
    if (!value.is_object()) return fail(ErrorCode::kInvalid, "jwk: not an object");
    for (std::string_view name : kPrivateMembers) {
        if (value.find(name)) return fail(ErrorCode::kInvalid, "jwk: holds a private key");
    }
    Jwk out;
    std::string_view kty = value.string("kty").value_or("");
    std::string_view crv = value.string("crv").value_or("");
    if (kty == "EC" && crv == "P-256") {
        Es256Key::Public point;
        if (Status x = read_coordinate(value, "x", point.x); !x) return fail(x.error());
        if (Status y = read_coordinate(value, "y", point.y); !y) return fail(y.error());
        out.key = point;
    } else if (kty == "OKP" && crv == "Ed25519") {
        Ed25519Key::Public point{};
        if (Status x = read_coordinate(value, "x", point); !x) return fail(x.error());
        out.key = point;
    } else {
        return fail(ErrorCode::kInvalid, "jwk: neither EC with P-256 nor OKP with Ed25519");
    }
    if (Status fit = check_purpose(value, out.alg()); !fit) return fail(fit.error());
    if (std::optional<json::Value> kid = value.find("kid")) {
        if (!kid->is_string()) return fail(ErrorCode::kInvalid, "jwk: `kid` is not a string");
        out.kid = *kid->as_string();
    } else {
        out.kid = out.thumbprint();
    }
    return out;
}

}  // namespace writ::jose

// Byte strings and their usual texts: hex (lower case), base64 (RFC 4648 section 4) and base64url
// without padding (section 5). Decoders are strict: no white space, no missing or superfluous
// padding, no non-zero trailing bits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace writ {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using Sha256 = std::array<std::uint8_t, 32>;  // a SHA-256 digest; crypto/hash.h computes it

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(ByteView bytes);
// Writes 2 * bytes.size() digits at `out`; returns their end.
char* write_hex(ByteView bytes, char* out);
// Whether `text` is the digits of exactly out.size() bytes, which `out` then has.
[[nodiscard]] bool read_hex(std::string_view text, std::span<std::uint8_t> out);
std::optional<Bytes> from_hex(std::string_view text);
std::string to_base64(ByteView bytes);
std::optional<Bytes> from_base64(std::string_view text);
std::string to_base64url(ByteView bytes);
std::optional<Bytes> from_base64url(std::string_view text);

// `sha256:<64 hex digits>`, the form digests have in events and the API.
std::string digest_text(const Sha256& digest);
std::optional<Sha256> digest_from_text(std::string_view text);

}  // namespace writ

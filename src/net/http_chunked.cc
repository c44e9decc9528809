#include "net/http_chunked.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace writ::net {
namespace {

// More digits than any size has are an attempt to overflow or to stall.
constexpr std::size_t kSizeDigitsMax = 16;

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

Body ChunkedBody::put(std::string& bytes) {
    std::string_view rest = bytes;
    Body got = Body::kMore;
    for (bool stuck = false; got == Body::kMore && !stuck;) got = step(rest, stuck);
    bytes.erase(0, bytes.size() - rest.size());
    return got;
}

// One part of the coding; `stuck` if more bytes are needed for it.
Body ChunkedBody::step(std::string_view& rest, bool& stuck) {
    constexpr std::string_view kLineEnd = "\r\n";
    if (stage_ == Stage::kSize) return read_size(rest, stuck);
    if (stage_ == Stage::kData) {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        body_.append(rest.substr(0, n));
        rest.remove_prefix(n);
        left_ -= n;
        if (left_ == 0)
            stage_ = Stage::kDataEnd;
        else
            stuck = true;
        return Body::kMore;
    }
    const auto seen = rest.substr(0, kLineEnd.size());
    if (!kLineEnd.starts_with(seen)) return Body::kMalformed;
    stuck = seen.size() < kLineEnd.size();
    if (stuck) return Body::kMore;
    rest.remove_prefix(kLineEnd.size());
    if (stage_ == Stage::kLastEnd) return Body::kDone;
    stage_ = Stage::kSize;
    return Body::kMore;
}

Body ChunkedBody::read_size(std::string_view& rest, bool& stuck) {
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_hex);
    const auto digits = static_cast<std::size_t>(end - rest.begin());
    if (digits > kSizeDigitsMax) return Body::kMalformed;
    const auto after = rest.substr(digits, 2);
    if (!std::string_view("\r\n").starts_with(after) || (digits == 0 && !after.empty()))
        return Body::kMalformed;
    stuck = after.size() < 2;
    if (stuck) return Body::kMore;
    std::from_chars(rest.data(), rest.data() + digits, left_, 16);
    if (left_ > bytes_max_ - body_.size()) return Body::kTooLarge;
    rest.remove_prefix(digits + 2);
    stage_ = left_ == 0 ? Stage::kLastEnd : Stage::kData;
    return Body::kMore;
}

}  // namespace writ::net

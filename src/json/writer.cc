#include "json/writer.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>

#include "json/node.h"

namespace writ::json {

namespace {

constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
constexpr std::uint64_t kHighs = 0x8080'8080'8080'8080;

// 00 to 99.
constexpr auto kPairs = [] {
    std::array<char, 200> out{};
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<char>('0' + (i % 2 == 0 ? i / 20 : i / 2 % 10));
    return out;
}();

// Not 0 if one of the eight bytes needs a look: a control character, `"`, `\` or one beyond ASCII.
// (Where one does, bytes above it may be taken for others; that one did is never missed.)
std::uint64_t special(std::uint64_t bytes) {
    const std::uint64_t quote = bytes ^ (kOnes * '"');
    const std::uint64_t backslash = bytes ^ (kOnes * '\\');
    return (((bytes - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes)) | bytes) & kHighs;
}

#if defined(__SSE2__)
// As copy_plain(), of at least 16 bytes.
bool copy_plain_16(char* to, const char* from, std::size_t size) {
    __m128i seen = _mm_setzero_si128();
    const auto copy = [&](std::size_t at) {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), block);
        // Signed: bytes beyond ASCII are negative, and so below the space as well.
        const __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(' '));
        const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
        const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
        seen = _mm_or_si128(seen, _mm_or_si128(low, _mm_or_si128(quote, backslash)));
    };
    const std::size_t last = size - sizeof(__m128i);
    for (std::size_t at = 0; at < last; at += sizeof(__m128i)) copy(at);
    copy(last);  // over some that were copied before
    return _mm_movemask_epi8(seen) == 0;
}
#endif

// Copies `text` to `to` while it looks at it. Whether nothing in it needs a look; if not, what
// stands at `to` is void.
bool copy_plain(char* to, std::string_view text) {
    const char* from = text.data();
    const std::size_t size = text.size();
    std::uint64_t seen = 0, block = 0;
    if (size == 0) return true;  // there may be no address either
    if (size < 4) {
        block = kOnes * ' ';
        std::memcpy(&block, from, size);
        std::memcpy(to, from, size);
        return special(block) == 0;
    }
    if (size < sizeof block) {  // its halves, over each other in the middle
        std::uint32_t front = 0, back = 0;
        std::memcpy(&front, from, sizeof front);
        std::memcpy(&back, from + size - sizeof back, sizeof back);
        std::memcpy(to, &front, sizeof front);
        std::memcpy(to + size - sizeof back, &back, sizeof back);
        return special(std::uint64_t{front} << 32 | back) == 0;
    }
#if defined(__SSE2__)
    if (size >= sizeof(__m128i)) return copy_plain_16(to, from, size);
#endif
    const std::size_t last = size - sizeof block;
    for (std::size_t i = 0; i < last; i += sizeof block) {
        std::memcpy(&block, from + i, sizeof block);
        std::memcpy(to + i, &block, sizeof block);
        seen |= special(block);
    }
    std::memcpy(&block, from + last, sizeof block);  // over some that were copied before
    std::memcpy(to + last, &block, sizeof block);
    return (seen | special(block)) == 0;
}

}  // namespace

std::string Writer::take() {
    text_.resize(static_cast<std::size_t>(at_ - text_.data()));
    return std::move(text_);
}

void Writer::grow(std::size_t bytes) {
    const auto used = static_cast<std::size_t>(at_ - text_.data());
    text_.resize(std::max(text_.size() * 2, used + bytes));
    place(used);
}

Writer& Writer::text(std::string_view value) {
    need(value.size() + 2);
    if (copy_plain(at_ + 1, value)) [[likely]] {
        *at_ = '"';
        at_ += value.size() + 1;
        *at_++ = '"';
        return *this;
    }
    std::string escaped;
    append_string(escaped, value);
    return verbatim(escaped);
}

Writer& Writer::number(std::int64_t value) {
    constexpr std::size_t kDigits = 20;  // of the longest
    const bool fits = value >= -kMaxSafeInteger && value <= kMaxSafeInteger;
    need(kDigits + 3);
    if (!fits) *at_++ = '"';
    if (value < 0) *at_++ = '-';
    // OPTIMIZATION: two digits a step from the end, and one copy of fixed size.
    std::array<char, 2 * kDigits> digits;
    char* first = digits.data() + kDigits;
    auto rest =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    for (; rest >= 100; rest /= 100) std::memcpy(first -= 2, &kPairs[2 * (rest % 100)], 2);
    if (rest >= 10)
        std::memcpy(first -= 2, &kPairs[2 * rest], 2);
    else
        *--first = static_cast<char>('0' + rest);
    std::memcpy(at_, first, kDigits);
    at_ += digits.data() + kDigits - first;
    if (!fits) *at_++ = '"';
    return *this;
}

Writer& Writer::id(const Uuid& id) {
    need(Uuid::kTextBytes + 2);
    *at_++ = '"';
    at_ = id.write_text(at_);
    *at_++ = '"';
    return *this;
}

Writer& Writer::hex(ByteView bytes) {
    need(2 * bytes.size() + 2);
    *at_++ = '"';
    at_ = write_hex(bytes, at_);
    *at_++ = '"';
    return *this;
}

Writer& Writer::digest(const Sha256& digest) {
    constexpr std::string_view kName = "sha256:";
    need(kName.size() + 2 * digest.size() + 2);
    *at_++ = '"';
    std::memcpy(at_, kName.data(), kName.size());
    at_ = write_hex(digest, at_ + kName.size());
    *at_++ = '"';
    return *this;
}

}  // namespace writ::json

// The parser: one pass over the text, no recursion, appending to the tape. Open containers are
// linked through TapeNode::next, so nesting costs no stack. UTF-8 is validated once for the whole
// text before anything is read.
#include <fmt/format.h>
#include <simdjson.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>

#include "base/inert.h"
#include "base/limits.h"
#include "json/duplicates.h"
#include "json/tape.h"
#include "json/utf8.h"

namespace writ::json {

namespace {

constexpr std::size_t kMaxTextBytes = 0xffff'fff0;  // offsets are 32 bits

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Value of a hexadecimal digit, or 16.
std::uint32_t hex_value(char c) {
    if (is_digit(c)) return static_cast<std::uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint32_t>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<std::uint32_t>(c - 'A') + 10;
    return 16;
}

bool ends_run(char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// Offset of the first quote, backslash or control character at or after `at`; text.size() if none.
std::size_t find_run_end(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
    // OPTIMIZATION: 16 bytes a step, long runs 64; most of a tool call is text inside strings.
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const auto hits = [&](std::size_t from) {
        __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash));
        return _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_max_epu8(block, last_control), last_control));
    };
    const auto any_of_64 = [&](std::size_t from) {
        return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(hits(from), hits(from + 16)),
                                              _mm_or_si128(hits(from + 32), hits(from + 48)))) != 0;
    };
    for (; text.size() - at >= 16; at += 16) {
        auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits(at)));
        if (mask != 0) return at + static_cast<std::size_t>(std::countr_zero(mask));
        while (text.size() - at >= 16 + 64 && !any_of_64(at + 16)) at += 64;
    }
#endif
    while (at < text.size() && !ends_run(text[at])) ++at;
    return at;
}

}  // namespace

class Parser {
  public:
    Parser(std::string_view text, const ParseLimits& limits)
        : text_(text), depth_max_(limits.depth_max), tape_(std::make_unique<Tape>()) {
        tape_->text = text;
        tape_->nodes.reserve(text.size() / 64 + 16);
    }

    Result<Document> run() {
        if (!whole_text()) return fail(std::move(error_));
        return Document(std::move(tape_));
    }

  private:
    bool whole_text();
    bool value();
    bool after_value();
    bool open(Kind kind);
    bool close();
    bool name();
    bool string();
    bool escaped_string(std::size_t begin, std::size_t at);
    bool escape(std::size_t& at);
    bool hex4(std::size_t at, std::uint32_t& out);
    bool number();
    bool digits();
    bool literal(std::string_view word, Kind kind);

    // The next byte, or 0 at the end: a NUL byte is refused wherever this is used.
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_space() {
        while (at_ < text_.size()) {
            char c = text_[at_];
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
            ++at_;
        }
    }
    std::vector<TapeNode>& nodes() { return tape_->nodes; }
    // Appends a finished scalar that ends at at_.
    void push_scalar(Kind kind, std::size_t begin) {
        auto next = static_cast<std::uint32_t>(nodes().size() + 1);
        nodes().push_back({narrow(begin), narrow(at_), next, 0, kInText, kind});
    }
    static std::uint32_t narrow(std::size_t n) { return static_cast<std::uint32_t>(n); }
    bool refuse(std::string_view what, std::size_t at, ErrorCode code = ErrorCode::kInvalid) {
        error_ = Error{code, fmt::format("{} at byte {}", what, at), {}};
        return false;
    }
    bool refuse_byte(std::string_view expected) {
        if (at_ >= text_.size())
            return refuse(fmt::format("text ends, {} expected", expected), at_);
        std::string shown = inert(text_.substr(at_, utf8_sequence(text_, at_)));
        return refuse(fmt::format("unexpected `{}`, {} expected", shown, expected), at_);
    }

    std::string_view text_;
    std::size_t depth_max_;
    std::unique_ptr<Tape> tape_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::uint32_t open_ = kNoParent;  // the innermost open container
    Error error_;
};

bool Parser::whole_text() {
    if (text_.starts_with("\xef\xbb\xbf")) return refuse("byte order mark", 0);
    if (!simdjson::validate_utf8(text_.data(), text_.size())) {
        return refuse("invalid utf-8", first_invalid_utf8(text_));
    }
    skip_space();
    if (!value()) return false;
    while (open_ != kNoParent) {
        if (!after_value()) return false;
    }
    skip_space();
    return at_ == text_.size() || refuse("trailing bytes after the value", at_);
}

// Reads a scalar, or the openings of containers up to their first scalar or empty container.
bool Parser::value() {
    for (;;) {
        if (open_ != kNoParent) ++nodes()[open_].count;
        switch (peek()) {
            case '{':
                if (!open(Kind::kObject)) return false;
                if (peek() == '}') return close();
                if (!name()) return false;
                break;
            case '[':
                if (!open(Kind::kArray)) return false;
                if (peek() == ']') return close();
                break;
            case '"':
                return string();
            case 't':
                return literal("true", Kind::kBool);
            case 'f':
                return literal("false", Kind::kBool);
            case 'n':
                return literal("null", Kind::kNull);
            default:
                return number();
        }
    }
}

// A value inside the open container is complete: reads a comma and the next value, or the
// container's end.
bool Parser::after_value() {
    bool in_object = nodes()[open_].kind == Kind::kObject;
    skip_space();
    char c = peek();
    if (c == (in_object ? '}' : ']')) return close();
    if (c != ',') return refuse_byte(in_object ? "`,` or `}`" : "`,` or `]`");
    ++at_;
    skip_space();
    if (in_object && !name()) return false;
    return value();
}

bool Parser::open(Kind kind) {
    if (depth_ == depth_max_) {
        return refuse(fmt::format("nesting deeper than {}", depth_max_), at_, ErrorCode::kTooLarge);
    }
    ++depth_;
    nodes().push_back({narrow(at_), 0, open_, 0, kInText, kind});
    open_ = narrow(nodes().size() - 1);
    ++at_;
    skip_space();
    return true;
}

bool Parser::close() {
    ++at_;
    --depth_;
    std::uint32_t closed = open_;
    TapeNode& node = nodes()[closed];
    open_ = node.next;
    node.next = narrow(nodes().size());
    node.end = narrow(at_);
    if (node.kind != Kind::kObject || node.count < 2) return true;
    std::optional<std::uint32_t> twice = find_duplicate(*tape_, closed);
    if (!twice) return true;
    std::string shown = inert(tape_->string_at(*twice), kShownNameBytes);
    return refuse(fmt::format("duplicate member `{}`", shown), nodes()[*twice].begin);
}

// A member's name and its colon.
bool Parser::name() {
    if (peek() != '"') return refuse_byte("a member name");
    if (!string()) return false;
    skip_space();
    if (peek() != ':') return refuse_byte("`:`");
    ++at_;
    skip_space();
    return true;
}

bool Parser::string() {
    std::size_t begin = at_;
    std::size_t end = find_run_end(text_, begin + 1);
    if (end == text_.size()) return refuse("string without end", begin);
    if (text_[end] != '"') return escaped_string(begin, end);
    at_ = end + 1;
    push_scalar(Kind::kString, begin);
    nodes().back().count = narrow(end - begin - 1);
    return true;
}

// The rest of a string that begins at `begin` and whose plain run ends at `at`, by an escape or by
// something worse.
bool Parser::escaped_string(std::size_t begin, std::size_t at) {
    std::string& arena = tape_->arena;
    std::size_t arena_at = arena.size();
    std::size_t run = begin + 1;
    for (;;) {
        arena.append(text_.substr(run, at - run));
        if (at == text_.size()) return refuse("string without end", begin);
        if (text_[at] == '"') break;
        if (text_[at] != '\\') return refuse("control character in a string", at);
        if (!escape(at)) return false;
        run = at;
        at = find_run_end(text_, run);
    }
    at_ = at + 1;
    push_scalar(Kind::kString, begin);
    nodes().back().count = narrow(arena.size() - arena_at);
    nodes().back().arena_at = narrow(arena_at);
    return true;
}

// One escape at `at` (its backslash), appended unescaped; `at` moves behind it. A lone surrogate is
// refused.
bool Parser::escape(std::size_t& at) {
    std::string& arena = tape_->arena;
    char c = at + 1 < text_.size() ? text_[at + 1] : '\0';
    if (c != 'u') {
        constexpr std::string_view kNames = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        std::size_t which = kNames.find(c);
        if (which == std::string_view::npos) return refuse("unknown escape", at);
        arena.push_back(kMeanings[which]);
        at += 2;
        return true;
    }
    std::uint32_t code = 0;
    if (!hex4(at + 2, code)) return refuse("malformed \\u escape", at);
    if (code < 0xd800 || code > 0xdfff) {
        append_utf8(arena, code);
        at += 6;
        return true;
    }
    std::uint32_t low = 0;
    bool pair = code < 0xdc00 && text_.substr(at + 6, 2) == "\\u" && hex4(at + 8, low) &&
                low >= 0xdc00 && low <= 0xdfff;
    if (!pair) return refuse("lone surrogate", at);
    append_utf8(arena, 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00));
    at += 12;
    return true;
}

bool Parser::hex4(std::size_t at, std::uint32_t& out) {
    if (at + 4 > text_.size()) return false;
    out = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        std::uint32_t digit = hex_value(text_[i]);
        if (digit > 15) return false;
        out = out << 4 | digit;
    }
    return true;
}

// RFC 8259 section 6: [ minus ] int [ frac ] [ exp ]
bool Parser::number() {
    std::size_t begin = at_;
    if (peek() == '-') {
        ++at_;
    } else if (!is_digit(peek())) {
        return refuse_byte("a value");
    }
    if (peek() == '0') {
        ++at_;
        if (is_digit(peek())) return refuse("number with a leading zero", begin);
    } else if (!digits()) {
        return false;
    }
    if (peek() == '.') {
        ++at_;
        if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
        ++at_;
        if (peek() == '+' || peek() == '-') ++at_;
        if (!digits()) return false;
    }
    push_scalar(Kind::kNumber, begin);
    return true;
}

bool Parser::digits() {
    if (!is_digit(peek())) return refuse_byte("a digit");
    while (is_digit(peek())) ++at_;
    return true;
}

bool Parser::literal(std::string_view word, Kind kind) {
    if (text_.substr(at_, word.size()) != word) return refuse_byte("a value");
    std::size_t begin = at_;
    at_ += word.size();
    push_scalar(kind, begin);
    return true;
}

Result<Document> parse(std::string_view text, const ParseLimits& limits) {
    std::size_t bytes_max = std::min(limits.bytes_max, kMaxTextBytes);
    if (text.size() > bytes_max) {
        return fail(ErrorCode::kTooLarge, fmt::format("text of {} bytes, {} is the most allowed",
                                                      text.size(), bytes_max));
    }
    return Parser(text, limits).run();
}

}  // namespace writ::json

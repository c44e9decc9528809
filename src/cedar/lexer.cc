#include "cedar/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "json/utf8.h"

namespace writ::cedar {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_word(char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The characters of White_Space beyond ASCII, in UTF-8.
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
    "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

// Length of the white space character at the start of `text`, 0 if there is none.
std::size_t space_length(std::string_view text) {
    const char c = text[0];
    if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
    if (static_cast<unsigned char>(c) < 0x80) return 0;
    for (std::string_view space : kWideSpaces)
        if (text.starts_with(space)) return space.size();
    return 0;
}

// What an ASCII character is by itself, and of two together.
constexpr std::array<Kind, 128> kSingles = [] {
    std::array<Kind, 128> out{};
    out.fill(Kind::kInvalid);
    constexpr std::pair<char, Kind> singles[] = {
        {'@', Kind::kAt},          {'.', Kind::kDot},          {',', Kind::kComma},
        {';', Kind::kSemicolon},   {':', Kind::kColon},        {'(', Kind::kLeftParen},
        {')', Kind::kRightParen},  {'{', Kind::kLeftBrace},    {'}', Kind::kRightBrace},
        {'[', Kind::kLeftBracket}, {']', Kind::kRightBracket}, {'<', Kind::kLess},
        {'>', Kind::kGreater},     {'+', Kind::kPlus},         {'-', Kind::kMinus},
        {'*', Kind::kStar},        {'/', Kind::kSlash},        {'%', Kind::kPercent},
        {'!', Kind::kNot},         {'=', Kind::kAssign},
    };
    for (const auto& [c, kind] : singles) out[static_cast<std::size_t>(c)] = kind;
    return out;
}();

Kind pair_of(char first, char second) {
    if (second == '=') {
        switch (first) {
            case '=':
                return Kind::kEqual;
            case '!':
                return Kind::kNotEqual;
            case '<':
                return Kind::kLessEqual;
            case '>':
                return Kind::kGreaterEqual;
            default:
                return Kind::kInvalid;
        }
    }
    if (first != second) return Kind::kInvalid;
    return first == ':'   ? Kind::kColons
           : first == '|' ? Kind::kOr
           : first == '&' ? Kind::kAnd
                          : Kind::kInvalid;
}

}  // namespace

Token Lexer::token(Kind kind, std::size_t length) {
    Token out;
    out.kind = kind;
    out.begin = static_cast<std::uint32_t>(at_);
    at_ += length;
    out.end = static_cast<std::uint32_t>(at_);
    return out;
}

void Lexer::skip_space() {
    while (at_ < text_.size()) {
        const std::string_view rest = text_.substr(at_);
        if (rest.starts_with("//")) {
            at_ += std::min(rest.find_first_of("\r\n"), rest.size());
            continue;
        }
        const std::size_t length = space_length(rest);
        if (length == 0) return;
        at_ += length;
    }
}

// A string runs to the next quote without a backslash before it; a backslash takes any character
// but a line feed with it.
Token Lexer::string() {
    std::size_t i = at_ + 1;
    for (; i < text_.size() && text_[i] != '"'; ++i) {
        if (text_[i] != '\\') continue;
        if (i + 1 < text_.size() && text_[i + 1] == '\n') break;
        ++i;
    }
    if (i >= text_.size() || text_[i] != '"')
        return token(Kind::kInvalid, std::min(i, text_.size()) - at_);
    return token(Kind::kString, i + 1 - at_);
}

Token Lexer::symbol() {
    const char c = text_[at_];
    if (at_ + 1 < text_.size())
        if (const Kind pair = pair_of(c, text_[at_ + 1]); pair != Kind::kInvalid)
            return token(pair, 2);
    if (static_cast<unsigned char>(c) < 0x80)
        if (const Kind single = kSingles[static_cast<std::size_t>(c)]; single != Kind::kInvalid)
            return token(single, 1);
    return token(Kind::kInvalid, std::max<std::size_t>(1, json::utf8_sequence(text_, at_)));
}

Token Lexer::next() {
    skip_space();
    if (at_ == text_.size()) return token(Kind::kEnd, 0);
    const char c = text_[at_];
    if (c == '"') return string();
    const bool slot =
        c == '?' && at_ + 1 < text_.size() && is_word(text_[at_ + 1]) && !is_digit(text_[at_ + 1]);
    if (!slot && !is_word(c)) return symbol();
    std::size_t length = 1;
    const bool number = is_digit(c);
    while (at_ + length < text_.size()) {
        const char next = text_[at_ + length];
        if (number ? !is_digit(next) : !is_word(next)) break;
        ++length;
    }
    return token(number ? Kind::kNumber : slot ? Kind::kSlot : Kind::kIdentifier, length);
}

}  // namespace writ::cedar

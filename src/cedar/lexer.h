// Tokens of Cedar policies. Longest match; `//` comments end at a line feed or carriage return;
// white space is Unicode White_Space. Words are identifiers: the parser knows which mean something
// where.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace writ::cedar {

enum class Kind : std::uint8_t {
    kEnd,
    kIdentifier,
    kNumber,
    kString,  // with its quotes
    kSlot,    // `?principal`
    kInvalid,
    kAt,
    kDot,
    kComma,
    kSemicolon,
    kColon,
    kColons,
    kLeftParen,
    kRightParen,
    kLeftBrace,
    kRightBrace,
    kLeftBracket,
    kRightBracket,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kOr,
    kAnd,
    kPlus,
    kMinus,
    kStar,
    kSlash,
    kPercent,
    kNot,
    kAssign,
};

struct Token {
    Kind kind = Kind::kEnd;
    std::uint32_t begin = 0, end = 0;  // bytes of the text
};

class Lexer {
  public:
    // `text` is valid UTF-8, below 4 GiB, and outlives the lexer.
    explicit Lexer(std::string_view text) : text_(text) {}
    // The next token; kEnd for ever at the end. Never fails: what is no token is kInvalid.
    Token next();

  private:
    void skip_space();
    Token string();
    Token symbol();
    Token token(Kind kind, std::size_t length);

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace writ::cedar

// Reading tokens one ahead, and collecting what is wrong with them. The parsers of policies and of
// expressions share one Cursor.
//
// Two kinds of mistakes: after a syntactic one (unexpected()) the reader cannot tell what was
// meant, its parsers return "nothing" up to the policy, which goes on after the next `;`. After
// any other (report()) parsing goes on at once, so that several are found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/escape.h"
#include "cedar/lexer.h"

namespace writ::cedar {

struct ParseError {
    std::uint32_t at = 0;  // byte of the source
    std::string message;
    bool too_large = false;  // a limit was passed
};

// A name or an entity literal, as read.
struct Reference {
    std::string name;               // `A::B`, or the type of the entity
    std::optional<std::string> id;  // an entity's
    std::uint32_t begin = 0, end = 0;
    bool single = true;  // one identifier
};

// `@name` or `@name("value")`.
struct Annotation {
    std::string name;
    std::optional<std::string> value;
    std::uint32_t at = 0;  // of the name
};

class Cursor {
  public:
    explicit Cursor(std::string_view text);

    const Token& now() const { return now_; }
    const Token& next() const { return next_; }
    std::uint32_t last_end() const { return last_end_; }
    std::string_view text(const Token& token) const {
        return text_.substr(token.begin, token.end - token.begin);
    }
    bool at(Kind kind) const { return now_.kind == kind; }
    bool at_word(std::string_view word) const {
        return now_.kind == Kind::kIdentifier && text(now_) == word;
    }
    void advance();
    bool accept(Kind kind);
    bool accept_word(std::string_view word);
    // Takes the token or reports it as unexpected; `wanted` says what should stand there.
    bool expect(Kind kind, std::string_view wanted);

    // Reports the token under the cursor. Always false.
    bool unexpected(std::string_view wanted);
    void report(std::uint32_t at, std::string message);
    void report_too_large(std::uint32_t at, std::string message);
    // Goes to after the next `;`, or to the end.
    void recover();

    // An identifier that may name something: reserved words are reported, and read all the same.
    std::optional<std::string> name(std::string_view wanted);
    // `A::B` or `A::B::"id"`.
    std::optional<Reference> reference(std::string_view wanted);
    // Reports the bad escapes of a string or pattern whose text begins at `at`.
    void report_escapes(std::uint32_t at, const std::vector<EscapeError>& errors);
    // What stands after an `@` that was accepted. False after a syntactic mistake.
    bool annotation(Annotation& out);
    // The text of a string token, its bad escapes reported.
    std::string string(const Token& token);

    const std::vector<ParseError>& errors() const { return errors_; }
    // Nothing more is read: an error after which all others are noise, or too many of them.
    bool gave_up() const { return gave_up_; }

  private:
    void add(ParseError error);
    void check_name(std::string_view identifier, std::uint32_t at);

    std::string_view text_;
    Lexer lexer_;
    Token now_, next_;
    std::uint32_t last_end_ = 0;
    std::vector<ParseError> errors_;
    bool gave_up_ = false;
};

}  // namespace writ::cedar

#include "cedar/cursor.h"

#include <fmt/format.h>

#include "cedar/names.h"

namespace writ::cedar {
namespace {

constexpr std::size_t kErrorsMax = 100;     // more help nobody
constexpr std::size_t kTokenShownMax = 80;  // bytes of an offending token

// At most kTokenShownMax bytes, cut between characters.
std::string_view shown(std::string_view token) {
    if (token.size() <= kTokenShownMax) return token;
    std::size_t end = kTokenShownMax;
    while (end > 0 && (token[end] & 0xc0) == 0x80) --end;
    return token.substr(0, end);
}

std::string invalid_token(std::string_view token) {
    if (token.starts_with('"'))
        return "invalid token: this string is not closed, or a backslash stands before a line "
               "break in it (write `\\n`)";
    if (token.starts_with('\'')) return "invalid token `'`: strings stand in double quotes";
    if (token == "&" || token == "|")
        return fmt::format("invalid token `{0}`: write `{0}{0}`", token);
    if (token == "?") return "invalid token `?`: a slot is `?principal` or `?resource`";
    return fmt::format("invalid token `{}`: names are of ASCII letters, digits and `_`",
                       escape(token));
}

}  // namespace

Cursor::Cursor(std::string_view text) : text_(text), lexer_(text) {
    now_ = lexer_.next();
    next_ = lexer_.next();
}

void Cursor::advance() {
    last_end_ = now_.end;
    now_ = next_;
    next_ = lexer_.next();
}

bool Cursor::accept(Kind kind) {
    if (!at(kind)) return false;
    advance();
    return true;
}

bool Cursor::accept_word(std::string_view word) {
    if (!at_word(word)) return false;
    advance();
    return true;
}

bool Cursor::expect(Kind kind, std::string_view wanted) {
    return accept(kind) || unexpected(wanted);
}

bool Cursor::unexpected(std::string_view wanted) {
    if (now_.kind == Kind::kEnd) {
        report(now_.begin, fmt::format("unexpected end of input: expected {}", wanted));
    } else if (now_.kind == Kind::kInvalid) {
        report(now_.begin, invalid_token(text(now_)));
        gave_up_ = gave_up_ || text(now_).starts_with('"');  // what follows is inside out
    } else {
        report(now_.begin,
               fmt::format("unexpected token `{}`: expected {}", shown(text(now_)), wanted));
    }
    return false;
}

void Cursor::report(std::uint32_t at, std::string message) {
    add({at, std::move(message), false});
}

void Cursor::report_too_large(std::uint32_t at, std::string message) {
    add({at, std::move(message), true});
}

void Cursor::add(ParseError error) {
    if (gave_up_) return;
    errors_.push_back(std::move(error));
    gave_up_ = errors_.size() >= kErrorsMax;
}

bool Cursor::annotation(Annotation& out) {
    const Token key = now_;
    if (!expect(Kind::kIdentifier, "the name of an annotation after `@`")) return false;
    out.name = text(key);
    out.at = key.begin;
    if (!accept(Kind::kLeftParen)) return true;
    const Token value = now_;
    if (!expect(Kind::kString, "the annotation's value in quotes")) return false;
    out.value = string(value);
    return expect(Kind::kRightParen, "`)`");
}

void Cursor::recover() {
    while (!at(Kind::kEnd) && !at(Kind::kSemicolon)) advance();
    accept(Kind::kSemicolon);
}

void Cursor::check_name(std::string_view identifier, std::uint32_t at) {
    if (is_reserved(identifier))
        report(at, fmt::format("this identifier is reserved and cannot be used: {}", identifier));
    else if (identifier == "__cedar")
        report(at, "The name `__cedar` contains `__cedar`, which is reserved");
}

std::optional<std::string> Cursor::name(std::string_view wanted) {
    if (!at(Kind::kIdentifier)) {
        unexpected(wanted);
        return std::nullopt;
    }
    std::string out(text(now_));
    check_name(out, now_.begin);
    advance();
    return out;
}

std::optional<Reference> Cursor::reference(std::string_view wanted) {
    if (!at(Kind::kIdentifier)) {
        unexpected(wanted);
        return std::nullopt;
    }
    Reference out;
    out.begin = now_.begin;
    bool reserved = false;
    bool internal = false;
    while (true) {
        const std::string_view part = text(now_);
        if (is_reserved(part) && !reserved) check_name(part, now_.begin);
        reserved = reserved || is_reserved(part);
        internal = internal || part == "__cedar";
        out.name += part;
        advance();
        if (!accept(Kind::kColons)) break;
        if (at(Kind::kString)) {
            out.id = string(now_);
            advance();
            break;
        }
        if (at(Kind::kLeftBrace)) {
            report(out.begin, fmt::format("invalid entity literal: {}::{{…}}; write "
                                          "`{}::\"id\"`",
                                          out.name, out.name));
            return std::nullopt;
        }
        if (!at(Kind::kIdentifier)) {
            unexpected("a name or an id in quotes after `::`");
            return std::nullopt;
        }
        out.name += "::";
        out.single = false;
    }
    if (internal)
        report(out.begin,
               fmt::format("The name `{}` contains `__cedar`, which is reserved", out.name));
    out.end = last_end_;
    return out;
}

std::string Cursor::string(const Token& token) {
    const std::string_view quoted_text = text(token);
    Unescaped read = unescape(quoted_text.substr(1, quoted_text.size() - 2), Literal::kString);
    report_escapes(token.begin + 1, read.errors);
    return std::move(read.text);
}

void Cursor::report_escapes(std::uint32_t at, const std::vector<EscapeError>& errors) {
    constexpr std::string_view kHelp =
        R"(: write `\\` for a backslash; the escapes are \n \r \t \0 \" \' \\ \x41 \u{e9})";
    for (const EscapeError& error : errors)
        report(at + static_cast<std::uint32_t>(error.at), error.message + std::string(kHelp));
}

}  // namespace writ::cedar

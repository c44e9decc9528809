// The lexer and the escapes of Cedar's literals. Tokens lie in the text in order, what is between
// them is white space or comments, and each is the same token alone. What a literal says survives
// being written again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cedar/escape.h"
#include "cedar/lexer.h"
#include "json/utf8.h"

namespace cedar = writ::cedar;
using cedar::Kind;

namespace {

void check_between(std::string_view gap) {
    cedar::Lexer lexer(gap);
    WRIT_CHECK(lexer.next().kind == Kind::kEnd);
}

void check_alone(std::string_view text, Kind kind) {
    cedar::Lexer lexer(text);
    const cedar::Token token = lexer.next();
    WRIT_CHECK(token.kind == kind && token.begin == 0 && token.end == text.size());
    WRIT_CHECK(lexer.next().kind == Kind::kEnd);
}

void check_literal(std::string_view inside) {
    const auto read = cedar::unescape(inside, cedar::Literal::kString);
    if (read.errors.empty()) {
        const auto again = cedar::unescape(cedar::escape(read.text), cedar::Literal::kString);
        WRIT_CHECK(again.errors.empty() && again.text == read.text);
    }
    const auto pattern = cedar::unescape(inside, cedar::Literal::kPattern);
    std::size_t before = 0;
    for (const std::size_t at : pattern.wildcards) {
        WRIT_CHECK(at >= before && at <= pattern.text.size());
        before = at;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (writ::json::first_invalid_utf8(text) != text.size()) return 0;
    cedar::Lexer lexer(text);
    std::size_t at = 0;
    while (true) {
        const cedar::Token token = lexer.next();
        WRIT_CHECK(token.begin >= at && token.end >= token.begin && token.end <= text.size());
        check_between(text.substr(at, token.begin - at));
        at = token.end;
        if (token.kind == Kind::kEnd) break;
        WRIT_CHECK(token.end > token.begin);
        const std::string_view own = text.substr(token.begin, token.end - token.begin);
        if (token.kind != Kind::kInvalid) check_alone(own, token.kind);
        if (token.kind == Kind::kString) check_literal(own.substr(1, own.size() - 2));
    }
    WRIT_CHECK(lexer.next().kind == Kind::kEnd);
    return 0;
}

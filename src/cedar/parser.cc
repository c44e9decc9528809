#include "cedar/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/cursor.h"
#include "cedar/expression.h"
#include "cedar/names.h"
#include "cedar/scope.h"
#include "json/utf8.h"

namespace writ::cedar {
namespace {

class PolicyParser {
  public:
    PolicyParser(Cursor& cursor, std::shared_ptr<const Source> source, const Limits& limits)
        : cursor_(cursor), source_(std::move(source)), limits_(limits) {}

    // One policy; null after a syntactic error.
    std::shared_ptr<Policy> parse() {
        auto policy = std::make_shared<Policy>();
        policy->source = source_;
        policy->begin = cursor_.now().begin;
        if (!annotations(*policy) || !effect(*policy) || !parse_scope(cursor_, *policy) ||
            !conditions(*policy) ||
            !cursor_.expect(Kind::kSemicolon, "`;`, or a `when` or `unless` clause"))
            return nullptr;
        policy->end = cursor_.last_end();
        return policy;
    }

  private:
    // {'@' word ['(' string ')']}
    bool annotations(Policy& policy) {
        while (cursor_.accept(Kind::kAt)) {
            Annotation read;
            if (!cursor_.annotation(read)) return false;
            if (!read.value) policy.bare_annotations.insert(read.name);
            if (!policy.annotations.emplace(read.name, read.value.value_or("")).second)
                cursor_.report(read.at, fmt::format("duplicate annotation: @{}", read.name));
        }
        return true;
    }

    bool effect(Policy& policy) {
        if (cursor_.accept_word("permit")) {
            policy.effect = Effect::kPermit;
            return true;
        }
        if (cursor_.accept_word("forbid")) {
            policy.effect = Effect::kForbid;
            return true;
        }
        if (!cursor_.at(Kind::kIdentifier))
            return cursor_.unexpected("`permit`, `forbid` or an annotation");
        cursor_.report(cursor_.now().begin,
                       fmt::format("invalid policy effect: {}; effect must be either `permit` or "
                                   "`forbid`",
                                   cursor_.text(cursor_.now())));
        return false;
    }

    // {('when' | 'unless') '{' expression '}'}
    bool conditions(Policy& policy) {
        while (cursor_.at(Kind::kIdentifier)) {
            const Token keyword = cursor_.now();
            const std::string_view word = cursor_.text(keyword);
            if (word != "when" && word != "unless") {
                cursor_.report(keyword.begin,
                               fmt::format("invalid policy condition: {}; condition must be "
                                           "either `when` or `unless`",
                                           word));
                return false;
            }
            cursor_.advance();
            if (!cursor_.expect(Kind::kLeftBrace, fmt::format("`{{` after `{}`", word)))
                return false;
            if (cursor_.at(Kind::kRightBrace)) {
                cursor_.report(cursor_.now().begin,
                               fmt::format("`{}` condition clause cannot be empty, unexpected "
                                           "token `}}`: expected an expression",
                                           word));
                return false;
            }
            ExpressionParser parser(cursor_, policy.ast, limits_.depth_max, word);
            const auto body = parser.parse();
            if (!body || !cursor_.expect(Kind::kRightBrace, "an operator or `}`")) return false;
            Condition condition;
            condition.unless = word == "unless";
            condition.body = *body;
            condition.begin = keyword.begin;
            condition.end = cursor_.last_end();
            policy.conditions.push_back(condition);
        }
        return true;
    }

    Cursor& cursor_;
    std::shared_ptr<const Source> source_;
    const Limits& limits_;
};

// All errors in one: the first as the error itself, the others after it.
Error join(const std::vector<ParseError>& errors, const Source& source) {
    Error out;
    out.code = errors[0].too_large ? ErrorCode::kTooLarge : ErrorCode::kInvalid;
    out.detail = errors[0].message;
    out.at = source.at(errors[0].at);
    for (std::size_t i = 1; i < errors.size(); ++i) {
        const Error other{ErrorCode::kInvalid, errors[i].message, source.at(errors[i].at)};
        out.detail += "\n" + other.message();
    }
    return out;
}

}  // namespace

Source::Source(std::string file_name, std::string_view of)
    : file(std::move(file_name)), text(of), line_starts{0} {
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '\n') line_starts.push_back(static_cast<std::uint32_t>(i + 1));
}

SourceRef Source::at(std::size_t offset) const {
    const auto after = std::upper_bound(line_starts.begin(), line_starts.end(), offset);
    const auto line = static_cast<std::uint32_t>(after - line_starts.begin());
    const std::string_view before =
        std::string_view(text).substr(*(after - 1), offset - *(after - 1));
    const auto column =
        std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xc0) != 0x80; });
    return {file, line, static_cast<std::uint32_t>(column + 1)};
}

Status check_source(std::string_view text, const std::string& file, std::string_view what,
                    std::size_t bytes_max) {
    bytes_max = std::min<std::size_t>(bytes_max, 1 << 30);  // offsets are 32 bits wide
    if (text.size() > bytes_max)
        return fail(
            ErrorCode::kTooLarge,
            fmt::format("{} of {} bytes: at most {} are read", what, text.size(), bytes_max),
            {file, 0, 0});
    const std::size_t bad = json::first_invalid_utf8(text);
    if (bad == text.size()) return {};
    const Source valid(file, text.substr(0, bad));
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid token: byte 0x{:02x} is not UTF-8",
                            static_cast<unsigned char>(text[bad])),
                valid.at(bad));
}

Result<std::vector<std::shared_ptr<const Policy>>> parse_policies(std::string_view text,
                                                                  const ParseOptions& options) {
    if (auto status = check_source(text, options.file, "policy text", options.limits.bytes_max);
        !status)
        return fail(status.error());
    auto source = std::make_shared<const Source>(options.file, text);
    Cursor cursor(source->text);
    PolicyParser parser(cursor, source, options.limits);
    std::vector<std::shared_ptr<const Policy>> out;
    while (!cursor.at(Kind::kEnd) && !cursor.gave_up()) {
        if (out.size() == options.limits.policies_max) {
            cursor.report_too_large(cursor.now().begin, fmt::format("more than {} policies",
                                                                    options.limits.policies_max));
            break;
        }
        auto policy = parser.parse();
        if (policy)
            out.push_back(std::move(policy));
        else
            cursor.recover();
    }
    if (!cursor.errors().empty()) return fail(join(cursor.errors(), *source));
    return out;
}

}  // namespace writ::cedar

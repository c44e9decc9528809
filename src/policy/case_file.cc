#include "policy/case_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/inert.h"
#include "cedar/names.h"
#include "policy/scalars.h"

namespace writ::policy {
namespace {

constexpr std::array<std::string_view, 18> kKeys = {
    "case",    "agent", "subject",     "purpose", "tool",   "arguments",
    "grants",  "chain", "now",         "charter", "expect", "code",
    "because", "holds", "obligations", "reason",  "advice", "policies"};

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> sorted_list(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto word = trimmed(text.substr(0, comma));
        if (!word.empty() && word != "none") out.emplace_back(word);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

struct Line {
    std::string key, value;
    SourceRef at;        // of the key
    SourceRef value_at;  // of the value
};

// `key: value`, blank and comment lines left out, continuation lines joined.
class Lines {
  public:
    Lines(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

    Result<std::vector<Line>> read() {
        std::vector<Line> out;
        std::uint32_t number = 0;
        while (!text_.empty()) {
            ++number;
            const auto end = text_.find('\n');
            const std::string_view line = text_.substr(0, end);
            text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
            const std::string_view content = trimmed(line);
            if (content.empty() || content.front() == '#') continue;
            if (line.front() == ' ' || line.front() == '\t') {
                if (out.empty())
                    return fail(ErrorCode::kInvalid,
                                "an indented line continues a value, and there is none yet",
                                {file_, number, 1});
                out.back().value += "\n" + std::string(content);
                continue;
            }
            auto read = key_value(line, number);
            if (!read) return fail(read.error());
            out.push_back(std::move(*read));
        }
        return out;
    }

  private:
    Result<Line> key_value(std::string_view line, std::uint32_t number) const {
        const auto colon = line.find(':');
        const std::string key(trimmed(line.substr(0, colon)));
        if (colon == std::string_view::npos)
            return fail(ErrorCode::kInvalid,
                        fmt::format("`{}` is no `key: value` line", inert(trimmed(line), 80)),
                        {file_, number, 1});
        if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
            const std::string near = cedar::nearest(key, kKeys);
            return fail(ErrorCode::kInvalid,
                        fmt::format("unknown key `{}`{}", inert(key, 80),
                                    near.empty() ? ": use one of case agent subject purpose tool "
                                                   "arguments grants chain now charter expect code "
                                                   "because holds obligations reason advice"
                                                 : ", did you mean `" + near + "`?"),
                        {file_, number, 1});
        }
        const std::string_view value = trimmed(line.substr(colon + 1));
        const auto column =
            value.empty() ? colon + 1 : static_cast<std::size_t>(value.data() - line.data());
        return Line{key,
                    std::string(value),
                    {file_, number, 1},
                    {file_, number, static_cast<std::uint32_t>(column + 1)}};
    }

    std::string_view text_;
    std::string file_;
};

Result<std::vector<std::vector<identity::Grant>>> chain_from(const std::string& json) {
    const auto parsed = json::parse(json);
    if (!parsed) return fail(parsed.error());
    if (!parsed->root().is_array())
        return fail(ErrorCode::kInvalid, "`chain` is an array of arrays of grants");
    std::vector<std::vector<identity::Grant>> out;
    for (const json::Value& link : parsed->root().elements()) {
        auto grants = Scenario::grants_from(link.raw());
        if (!grants) return fail(grants.error());
        out.push_back(std::move(*grants));
    }
    if (out.empty()) return fail(ErrorCode::kInvalid, "`chain` is empty");
    return out;
}

Status take_scenario(Scenario& into, const std::string& key, const std::string& value) {
    if (key == "agent") into.agent = value;
    if (key == "subject") into.subject = value;
    if (key == "purpose") into.purpose = value;
    if (key == "tool") into.tool = value;
    if (key == "arguments") {
        const auto parsed = json::parse(value);
        if (!parsed) return fail(parsed.error().in("`arguments` is not JSON"));
        into.arguments = value;
    }
    if (key == "grants") {
        auto grants = Scenario::grants_from(value);
        if (!grants) return fail(grants.error());
        into.chain = {std::move(*grants)};
    }
    if (key == "chain") {
        auto chain = chain_from(value);
        if (!chain) return fail(chain.error());
        into.chain = std::move(*chain);
    }
    if (key == "now") {
        const auto ms = datetime_ms(value);
        if (!ms)
            return fail(
                ErrorCode::kInvalid,
                fmt::format("`{}` is no time: write 2026-11-25T09:30:00Z", inert(value, 60)));
        into.now_us = *ms * 1'000;
    }
    if (key == "charter") {
        if (value != "changed" && value != "unchanged")
            return fail(ErrorCode::kInvalid, "`charter` is `changed` or `unchanged`");
        into.charter_changed = value == "changed";
    }
    return {};
}

Status take_expectation(Case& into, const std::string& key, const std::string& value) {
    if (key == "expect") {
        if (value != "permit" && value != "forbid" && value != "hold")
            return fail(
                ErrorCode::kInvalid,
                fmt::format("`{}` is no verdict: use permit, forbid or hold", inert(value, 60)));
        into.verdict = value;
    }
    if (key == "code") into.code = value;
    if (key == "reason") into.reason = value;
    if (key == "advice") into.advice = value;
    if (key == "because" || key == "policies") into.because = sorted_list(value);
    if (key == "holds") into.holds = sorted_list(value);
    if (key == "obligations") into.obligations = sorted_list(value);
    return {};
}

bool is_expectation(std::string_view key) {
    constexpr std::string_view keys[] = {"expect", "code",        "because", "policies",
                                         "holds",  "obligations", "reason",  "advice"};
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

Status finish(const std::vector<Case>& cases) {
    if (cases.empty()) return {};
    const Case& last = cases.back();
    if (!last.verdict)
        return fail(ErrorCode::kInvalid,
                    fmt::format("case `{}` expects nothing: add `expect: permit`, `forbid` or "
                                "`hold`",
                                inert(last.name, 80)),
                    last.at);
    if (last.scenario.tool.empty())
        return fail(
            ErrorCode::kInvalid,
            fmt::format("case `{}` calls nothing: add `tool: server/tool`", inert(last.name, 80)),
            last.at);
    return {};
}

}  // namespace

Result<std::vector<Case>> parse_cases(std::string_view text, const std::string& file) {
    if (text.size() > kMaxCaseFileBytes)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("a case file is larger than {} MiB", kMaxCaseFileBytes >> 20),
                    {file, 0, 0});
    const auto lines = Lines(text, file).read();
    if (!lines) return fail(lines.error());
    std::vector<Case> out;
    Scenario defaults;
    for (const Line& line : *lines) {
        if (line.key == "case") {
            if (const auto done = finish(out); !done) return fail(done.error());
            if (out.size() >= kMaxCasesPerFile)
                return fail(ErrorCode::kTooLarge,
                            fmt::format("more than {} cases in one file", kMaxCasesPerFile),
                            line.at);
            out.push_back({line.value, line.at, defaults, {}, {}, {}, {}, {}, {}, {}});
            continue;
        }
        Status taken;
        if (is_expectation(line.key)) {
            if (out.empty())
                return fail(
                    ErrorCode::kInvalid,
                    fmt::format("`{}` belongs to a case: write `case: NAME` above it", line.key),
                    line.at);
            taken = take_expectation(out.back(), line.key, line.value);
        } else {
            taken =
                take_scenario(out.empty() ? defaults : out.back().scenario, line.key, line.value);
        }
        if (!taken) {
            Error error = taken.error();
            error.at = line.value_at;
            return fail(std::move(error));
        }
    }
    if (out.empty())
        return fail(ErrorCode::kInvalid, "there is no case in it: write `case: NAME`",
                    {file, 1, 1});
    if (const auto done = finish(out); !done) return fail(done.error());
    return out;
}

}  // namespace writ::policy

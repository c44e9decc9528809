#include "catalog/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/inert.h"
#include "base/limits.h"
#include "catalog/definition.h"

namespace writ::catalog {

namespace {

constexpr int kLastRank = 3;

// Objects are compared member by member, everything else as a whole: order matters in an array.
class Comparison {
  public:
    void compare(const std::string& path, const std::optional<json::Value>& before,
                 const std::optional<json::Value>& after) {
        if (before && after && before->is_object() && after->is_object()) {
            std::map<std::string, std::pair<std::optional<json::Value>, std::optional<json::Value>>>
                members;
            for (const auto& [key, value] : before->members())
                members[std::string(key)].first = value;
            for (const auto& [key, value] : after->members())
                members[std::string(key)].second = value;
            for (const auto& [key, pair] : members)
                compare(path.empty() ? key : path + "." + key, pair.first, pair.second);
            return;
        }
        const std::string old(before ? before->raw() : "");
        const std::string now(after ? after->raw() : "");
        if (old == now) return;
        if (out.changes.size() >= kMaxChanges) {
            out.more = true;
            return;
        }
        out.changes.push_back({path, old, now});
    }
    Difference out;
};

// The argument that a path is about, when it is about one.
std::optional<std::string> argument_of(std::string_view path) {
    constexpr std::string_view kProperties = "inputSchema.properties.";
    if (!path.starts_with(kProperties)) return std::nullopt;
    const auto rest = path.substr(kProperties.size());
    return std::string(rest.substr(0, rest.find('.')));
}

bool is_words(std::string_view path) {
    return path == "description" || path == "title" || path.ends_with(".description") ||
           path.ends_with(".title") || path == "annotations.title";
}

std::string tell(const Change& change) {
    const auto argument = argument_of(change.path);
    const std::string name = argument ? inert(*argument, kShownNameBytes) : "";
    const bool whole = argument && change.path == "inputSchema.properties." + *argument;
    if (whole && change.before.empty()) return fmt::format("new argument `{}`", name);
    if (whole && change.after.empty()) return fmt::format("argument `{}` is gone", name);
    if (is_words(change.path))
        return argument
                   ? fmt::format("the words about argument `{}` changed; a model reads them", name)
                   : "the description changed; a model reads it";
    if (argument) return fmt::format("argument `{}` takes other values", name);
    if (change.path == "inputSchema.required") return "which arguments are required changed";
    if (change.path.starts_with("inputSchema")) return "the schema of the arguments changed";
    if (change.path.starts_with("outputSchema")) return "the schema of the result changed";
    if (change.path.starts_with("annotations"))
        return fmt::format("the server's own word on what it does changed: `{}` is {} now",
                           inert(change.path.substr(std::min<std::size_t>(12, change.path.size())),
                                 kShownNameBytes),
                           change.after.empty() ? "absent" : inert(change.after, 40));
    return fmt::format("`{}` changed", inert(change.path, kShownNameBytes));
}

// Words and new arguments first: they are how a tool is turned against its user.
int rank(const std::string& risk) {
    if (risk.starts_with("the effect")) return 0;
    if (risk.starts_with("the description") || risk.starts_with("the words")) return 1;
    if (risk.starts_with("new argument")) return 2;
    return kLastRank;
}

}  // namespace

Result<Difference> difference(std::string_view pinned, std::string_view now,
                              std::optional<Effect> declared) {
    const auto before = json::parse(pinned);
    const auto after = json::parse(now);
    if (!before || !after) return fail(ErrorCode::kCorrupt, "a stored definition cannot be read");
    Comparison comparison;
    comparison.compare("", before->root(), after->root());
    Difference& out = comparison.out;
    for (const auto& change : out.changes) {
        std::string risk = tell(change);
        if (std::find(out.risks.begin(), out.risks.end(), risk) == out.risks.end())
            out.risks.push_back(std::move(risk));
    }
    const auto was = parse_definition(before->root());
    const auto is = parse_definition(after->root());
    if (!was || !is) return fail(ErrorCode::kCorrupt, "a stored definition cannot be read");
    const Effect old_effect = effective(declared, was->annotations);
    const Effect new_effect = effective(declared, is->annotations);
    if (old_effect != new_effect)
        out.risks.push_back(
            fmt::format("the effect is `{}` now, it was `{}`", name(new_effect), name(old_effect)));
    std::vector<std::string> ordered;
    for (int of = 0; of <= kLastRank; ++of)
        for (auto& risk : out.risks)
            if (rank(risk) == of) ordered.push_back(risk);
    out.risks = std::move(ordered);
    return std::move(out);
}

}  // namespace writ::catalog

#include "desks/admin/bodies.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "json/members.h"
#include "json/value.h"

namespace writ::admin {

namespace {

constexpr std::size_t kMaxReasonBytes = 500;

using V = const json::Value&;
using P = const std::string&;

Status read(std::string_view body, const std::vector<json::Field>& fields) {
    const auto document = json::parse(body);
    if (!document) return fail(document.error());
    return json::read_object(document->root(), "", fields);
}

json::Field text(std::string_view name, std::string& out) {
    return {name, [&out](V v, P p) { return json::read_text(v, p, out); }};
}

json::Field flag(std::string_view name, bool& out) {
    return {name, [&out](V v, P p) { return json::read_boolean(v, p, out); }};
}

}  // namespace

Result<bool> reload_checks_only(std::string_view body) {
    bool out = false;
    if (body.empty()) return out;
    if (auto done = read(body, {flag("check", out)}); !done) return fail(done.error());
    return out;
}

Result<ShredBody> read_shred(std::string_view body) {
    ShredBody out;
    // A script whose variable is not set must not shred every month.
    const auto before = [&out](V v, P p) {
        Status done = json::read_text(v, p, out.before);
        if (done && out.before.empty())
            done = fail(ErrorCode::kInvalid, "`before` must be a month, or left out for all");
        return done;
    };
    if (auto done = read(body, {text("subject", out.subject),
                                {"before", before},
                                text("reason", out.reason),
                                flag("dry_run", out.dry_run)});
        !done)
        return fail(done.error());
    return out;
}

Result<std::string> read_reason(std::string_view body, std::string fallback) {
    if (body.empty()) return fallback;
    const auto document = json::parse(body);
    if (!document) return fail(document.error());
    const auto given = document->root().string("reason");
    std::string out = given ? std::string(*given) : std::move(fallback);
    out.resize(std::min(out.size(), kMaxReasonBytes));
    return out;
}

Result<std::string> read_pin(std::string_view body) {
    std::string out;
    if (auto done = read(body, {text("pin", out)}); !done) return fail(done.error());
    return out;
}

Result<ExplainBody> read_explain(std::string_view body) {
    ExplainBody out;
    const auto arguments = [&out](V v, P) {
        out.arguments = v.raw();
        return Status();
    };
    if (auto done =
            read(body, {text("task", out.task), text("tool", out.tool), {"arguments", arguments}});
        !done)
        return fail(done.error());
    if (out.task.empty() || out.tool.empty())
        return fail(ErrorCode::kInvalid, "`task` and `tool` are needed, both strings");
    return out;
}

}  // namespace writ::admin

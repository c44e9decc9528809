#include "evidence/summary.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/inert.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kShownBytes = 160;  // of one text

std::string shown(std::string_view text) {
    return inert(text, kShownBytes);
}

// `a`, or `a: b` with a reason.
std::string with_reason(std::string head, std::string_view reason) {
    if (reason.empty()) return head;
    if (head.empty()) return shown(reason);
    return head + ": " + shown(reason);
}

std::string duration(std::int64_t us) {
    if (us < 1000) return fmt::format("{} us", us);
    if (us < 1'000'000) return fmt::format("{}.{} ms", us / 1000, us % 1000 / 100);
    return fmt::format("{}.{} s", us / 1'000'000, us % 1'000'000 / 100'000);
}

std::string decision(const Leaf& leaf) {
    const auto action = leaf.text("action");
    std::string out =
        fmt::format("{} {} ({})", shown(leaf.text("kind")),
                    shown(action.empty() ? leaf.text("tool") : action), shown(leaf.text("code")));
    if (const auto resource = leaf.text("resource"); !resource.empty()) {
        out += " on " + shown(resource);
    }
    return with_reason(std::move(out), leaf.text("reason"));
}

std::string outcome(const Leaf& leaf) {
    std::string out = shown(leaf.text("status"));
    if (leaf.number("duration_us") > 0) out += " in " + duration(leaf.number("duration_us"));
    if (leaf.number("bytes") > 0) out += fmt::format(", {} bytes", leaf.number("bytes"));
    if (const auto agreement = leaf.text("agreement"); agreement != "match") {
        out += ", agreement " + shown(agreement);
    }
    return with_reason(std::move(out), leaf.text("error"));
}

std::size_t size_of(const Leaf& leaf, std::string_view member) {
    const auto value = leaf.data ? leaf.data->find(member) : std::nullopt;
    return value ? value->size() : 0;
}

std::string tools(const Leaf& leaf) {
    const auto size = [&](std::string_view member) { return size_of(leaf, member); };
    std::string out = fmt::format("{}: {} tools", shown(leaf.text("server")), leaf.number("tools"));
    if (size("first_seen") > 0) out += fmt::format(", {} first seen", size("first_seen"));
    if (size("changed") > 0) out += fmt::format(", {} CHANGED", size("changed"));
    return out;
}

}  // namespace

std::string summary(const Leaf& leaf) {
    const std::string_view type = leaf.type;
    if (type == "call.decided") return decision(leaf);
    if (type == "call.ended") return outcome(leaf);
    if (type == "tool.list") return tools(leaf);
    if (type == "call.inward") {
        return with_reason(fmt::format("{} {} ({})", shown(leaf.text("kind")),
                                       shown(leaf.text("method")), shown(leaf.text("code"))),
                           leaf.text("reason"));
    }
    if (type == "task.started") {
        return with_reason(
            fmt::format("{} for {}", shown(leaf.text("agent")), shown(leaf.text("subject"))),
            leaf.text("purpose"));
    }
    if (type == "session.sealed") {
        return with_reason(
            fmt::format("{}, {} events, {} calls, {} denied", shown(leaf.text("reason")),
                        leaf.number("events"), leaf.number("calls"), leaf.number("denied")),
            leaf.text("detail"));
    }
    if (type == "payload.shredded") {
        return with_reason(
            fmt::format("{} keys of {}", size_of(leaf, "kids"), shown(leaf.text("subject"))),
            leaf.text("reason"));
    }
    if (type == "clock.step") {
        return fmt::format("the clock went {} by {}", leaf.number("step_us") < 0 ? "back" : "ahead",
                           duration(std::abs(leaf.number("step_us"))));
    }
    if (type == "evidence.gap") {
        return with_reason(fmt::format("{} events {}", leaf.number("n"), shown(leaf.text("why"))),
                           leaf.text("detail"));
    }
    if (type == "evidence.degraded") {
        return with_reason(
            fmt::format("{} {}", shown(leaf.text("what")), shown(leaf.text("state"))),
            leaf.text("detail"));
    }
    if (type == "checkpoint.witnessed") {
        return fmt::format("{} entries, by {} witnesses", leaf.number("size"),
                           size_of(leaf, "witnesses"));
    }
    std::string out;
    for (const auto member : {"state", "kind", "code", "binding", "bound_to", "server", "tool",
                              "version", "limit", "digest", "policy_set"}) {
        const auto text = leaf.text(member);
        if (text.empty()) continue;
        if (!out.empty()) out += ' ';
        out += shown(text);
    }
    return with_reason(std::move(out), leaf.text("reason"));
}

}  // namespace writ::evidence

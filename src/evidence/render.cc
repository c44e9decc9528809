// A trace for a terminal and as JSON. In the first everything that an agent, a tool or a stranger
// may have written passes inert().
#include <fmt/format.h>

#include "base/clock.h"
#include "base/inert.h"
#include "evidence/leaf.h"
#include "evidence/trail.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kShownBytes = 160;    // of one text
constexpr std::size_t kPayloadBytes = 120;  // of a payload

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

std::string tools(const Leaf& leaf) {
    const auto size = [&](std::string_view member) {
        const auto value = leaf.data ? leaf.data->find(member) : std::nullopt;
        return value ? value->size() : 0;
    };
    std::string out = fmt::format("{}: {} tools", shown(leaf.text("server")), leaf.number("tools"));
    if (size("first_seen") > 0) out += fmt::format(", {} first seen", size("first_seen"));
    if (size("changed") > 0) out += fmt::format(", {} CHANGED", size("changed"));
    return out;
}

// What the event says, in a few words.
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
    if (type == "evidence.gap") {
        return with_reason(fmt::format("{} events {}", leaf.number("n"), shown(leaf.text("why"))),
                           leaf.text("detail"));
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

std::string payload_text(const json::Value& payload, Vault& vault) {
    const auto state = payload.string("state").value_or("");
    if (state != "stored" && state != "redacted") return fmt::format("({})", shown(state));
    const auto kid = payload.string("kid").value_or("");
    const auto plain = vault.get(payload.string("cid").value_or(""), kid);
    if (!plain) {
        if (plain.error().code == ErrorCode::kForbidden) return "(shredded)";
        if (plain.error().code == ErrorCode::kNotFound) return "(MISSING from the vault)";
        return "(" + shown(plain.error().message()) + ")";
    }
    if (!vault.commits(kid, payload.string("com").value_or(""), *plain)) {
        return "(DOES NOT MATCH its commitment)";
    }
    return inert(*plain, kPayloadBytes);
}

class Renderer {
  public:
    explicit Renderer(Vault* vault) : vault_(vault) {}

    // `lead`: what stands before the branch of this node; `last`: no sibling follows.
    void node(const TraceNode& node, const std::string& lead, bool root, bool last) {
        const std::string branch = root ? "" : last ? "└─ " : "├─ ";
        const std::string below = root ? lead : lead + (last ? "   " : "│  ");
        const auto leaf = read_leaf(node.event.json);
        const std::string time = rfc3339(node.event.t_us);
        out_ += fmt::format("{}  {}{}{}  {}\n", time, lead, branch, shown(node.event.type),
                            leaf ? summary(*leaf) : "(unreadable)");
        if (vault_ != nullptr && leaf) payloads(*leaf, below, time.size(), !node.effects.empty());
        for (std::size_t i = 0; i < node.effects.size(); ++i) {
            this->node(node.effects[i], below, false, i + 1 == node.effects.size());
        }
    }

    std::string take() { return std::move(out_); }

  private:
    void payloads(const Leaf& leaf, const std::string& lead, std::size_t indent, bool more) {
        const auto list = leaf.document->root().find("payloads");
        if (!list || !list->is_array()) return;
        for (const auto& payload : list->elements()) {
            out_ += fmt::format("{:{}}  {}{}  {}: {}\n", "", indent, lead, more ? "│" : " ",
                                shown(payload.string("role").value_or("")),
                                payload_text(payload, *vault_));
        }
    }

    Vault* vault_;
    std::string out_;
};

json::Node node_json(const TraceNode& node) {
    json::Node out = json::Node::object();
    out["index"] = node.event.index;
    out["event"] = json::Node::raw(node.event.json);
    json::Node effects = json::Node::array();
    for (const auto& effect : node.effects) effects.push_back(node_json(effect));
    out["effects"] = std::move(effects);
    return out;
}

}  // namespace

std::string render(const Trace_& trace, Vault* vault) {
    Renderer renderer(vault);
    for (const auto& root : trace.roots) renderer.node(root, "", true, true);
    return renderer.take();
}

json::Node to_json(const Trace_& trace) {
    json::Node out = json::Node::object();
    out["events"] = trace.events;
    json::Node roots = json::Node::array();
    for (const auto& root : trace.roots) roots.push_back(node_json(root));
    out["roots"] = std::move(roots);
    return out;
}

}  // namespace writ::evidence

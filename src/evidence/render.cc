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
constexpr std::size_t kPayloadBytes = 120;  // of a payload in a terminal

std::string payload_text(const PayloadView& view) {
    if (view.answer == PayloadAnswer::kMatches) return inert(view.plain, kPayloadBytes);
    return "(" + view.detail + ")";
}

class Renderer {
  public:
    explicit Renderer(PayloadReader* payloads) : payloads_(payloads) {}

    // `lead`: what stands before the branch of this node; `last`: no sibling follows.
    void node(const TraceNode& node, const std::string& lead, bool root, bool last) {
        const std::string branch = root ? "" : last ? "└─ " : "├─ ";
        const std::string below = root ? lead : lead + (last ? "   " : "│  ");
        const std::string time = rfc3339(node.event.t_us);
        out_ += fmt::format("{}  {}{}{}  {}{}\n", time, lead, branch,
                            inert(node.event.type, kShownBytes), node.event.summary,
                            other_causes(node.event));
        if (payloads_ != nullptr) payloads(node.event, below, time.size(), !node.effects.empty());
        for (std::size_t i = 0; i < node.effects.size(); ++i) {
            this->node(node.effects[i], below, false, i + 1 == node.effects.size());
        }
    }

    std::string take() { return std::move(out_); }

  private:
    // The tree shows the first cause; the others, and whatever was not observed, are said.
    static std::string other_causes(const TrailEvent& event) {
        std::string out;
        for (std::size_t i = 0; i < event.causes.size(); ++i) {
            const auto& cause = event.causes[i];
            if (i == 0 && cause.basis == "observed") continue;
            out += fmt::format("  [{} {}, {}]", inert(cause.rel, 40), inert(cause.id, 40),
                               inert(cause.basis, 20));
        }
        return out;
    }

    void payloads(const TrailEvent& event, const std::string& lead, std::size_t indent, bool more) {
        const auto leaf = read_leaf(event.json);
        if (!leaf) return;
        for (const auto& view : payloads_->read(*leaf)) {
            out_ += fmt::format("{:{}}  {}{}  {}: {}\n", "", indent, lead, more ? "│" : " ",
                                inert(view.role, kShownBytes), payload_text(view));
        }
    }

    PayloadReader* payloads_;
    std::string out_;
};

json::Node payloads_json(const TrailEvent& event, PayloadReader& payloads) {
    json::Node out = json::Node::array();
    const auto leaf = read_leaf(event.json);
    if (!leaf) return out;
    for (const auto& view : payloads.read(*leaf)) {
        json::Node entry = json::Node::object();
        entry["role"] = view.role;
        entry["answer"] = name(view.answer);
        if (view.answer == PayloadAnswer::kMatches) entry["text"] = view.plain;
        if (!view.by.empty()) entry["by"] = view.by;
        if (!view.detail.empty()) entry["detail"] = view.detail;
        out.push_back(std::move(entry));
    }
    return out;
}

json::Node node_json(const TraceNode& node, PayloadReader* payloads) {
    json::Node out = json::Node::object();
    out["index"] = node.event.index;
    out["event"] = json::Node::raw(node.event.json);
    if (payloads != nullptr) out["payloads"] = payloads_json(node.event, *payloads);
    json::Node effects = json::Node::array();
    for (const auto& effect : node.effects) effects.push_back(node_json(effect, payloads));
    out["effects"] = std::move(effects);
    return out;
}

}  // namespace

std::string render(const Trace_& trace, PayloadReader* payloads) {
    Renderer renderer(payloads);
    for (const auto& root : trace.roots) renderer.node(root, "", true, true);
    return renderer.take();
}

json::Node to_json(const Trace_& trace, PayloadReader* payloads) {
    json::Node out = json::Node::object();
    out["id"] = trace.id;
    out["kind"] = trace.kind;
    out["events"] = trace.events;
    json::Node roots = json::Node::array();
    for (const auto& root : trace.roots) roots.push_back(node_json(root, payloads));
    out["roots"] = std::move(roots);
    return out;
}

}  // namespace writ::evidence

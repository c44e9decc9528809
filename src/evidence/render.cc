// A trace for a terminal and as JSON. In the first everything that an agent, a tool or a stranger
// may have written passes inert().
#include <fmt/format.h>

#include <utility>

#include "base/clock.h"
#include "base/inert.h"
#include "evidence/leaf.h"
#include "evidence/trail.h"
#include "json/node.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kLabelBytes = 160;    // of a type or a role
constexpr std::size_t kPayloadBytes = 120;  // of a payload in a terminal

std::string payload_text(const PayloadView& view) {
    if (view.answer == PayloadAnswer::kMatches) return inert(view.plain, kPayloadBytes);
    return "(" + view.detail + ")";
}

class Renderer {
  public:
    Renderer(PayloadReader* payloads, const Sink& sink) : payloads_(payloads), out_(sink) {}

    // `lead`: what stands before the branch of this node; `last`: no sibling follows.
    void node(const TraceNode& node, const std::string& lead, bool root, bool last) {
        const std::string branch = root ? "" : last ? "└─ " : "├─ ";
        const std::string below = root ? lead : lead + (last ? "   " : "│  ");
        const std::string time = rfc3339(node.event.t_us);
        auto& out = out_.text();
        out.append(time).append("  ").append(lead).append(branch);
        out.append(inert(node.event.type, kLabelBytes)).append("  ").append(node.event.summary);
        out.append(other_causes(node.event)).append("\n");
        out_.pause();
        if (payloads_ != nullptr) payloads(node.event, below, time.size(), !node.effects.empty());
        for (std::size_t i = 0; i < node.effects.size(); ++i) {
            this->node(node.effects[i], below, false, i + 1 == node.effects.size());
        }
    }

    Status finish() { return out_.finish(); }

  private:
    // The tree shows the first cause; the others, and whatever was not observed, are said.
    static std::string other_causes(const TrailEvent& event) {
        std::string out;
        for (std::size_t i = 0; i < event.causes.size(); ++i) {
            const auto& cause = event.causes[i];
            if (i == 0 && cause.basis == "observed") continue;
            out += fmt::format("  [{} {}, {}]", inert(cause.rel, 40), cause.id.text(),
                               inert(cause.basis, 20));
        }
        return out;
    }

    void payloads(const TrailEvent& event, const std::string& lead, std::size_t indent, bool more) {
        const auto leaf = read_leaf(event.json);
        if (!leaf) return;
        for (const auto& view : payloads_->read(*leaf)) {
            out_.text() += fmt::format("{:{}}  {}{}  {}: {}\n", "", indent, lead, more ? "│" : " ",
                                       inert(view.role, kLabelBytes), payload_text(view));
        }
    }

    PayloadReader* payloads_;
    Pieces out_;
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

// Members in the order of the canonical form; no tree of the whole is built.
void write_nodes(const std::vector<TraceNode>& nodes, PayloadReader* payloads, Pieces& out) {
    out.text() += '[';
    bool first = true;
    for (const auto& node : nodes) {
        out.text() += std::exchange(first, false) ? "{\"effects\":" : ",{\"effects\":";
        write_nodes(node.effects, payloads, out);
        auto& text = out.text();
        text.append(",\"event\":").append(node.event.json);
        text.append(",\"index\":").append(std::to_string(node.event.index));
        if (payloads != nullptr)
            text.append(",\"payloads\":").append(payloads_json(node.event, *payloads).dump());
        text += '}';
        out.pause();
    }
    out.text() += ']';
}

}  // namespace

Status render(const Trace_& trace, PayloadReader* payloads, const Sink& sink) {
    Renderer renderer(payloads, sink);
    for (const auto& root : trace.roots) renderer.node(root, "", true, true);
    return renderer.finish();
}

Status to_json(const Trace_& trace, PayloadReader* payloads, std::string_view schema,
               const Sink& sink) {
    Pieces out(sink);
    auto& head = out.text();
    head.append("{\"events\":").append(std::to_string(trace.events)).append(",\"id\":");
    json::append_string(head, trace.id);
    head += ",\"kind\":";
    json::append_string(head, trace.kind);
    head += ",\"roots\":";
    write_nodes(trace.roots, payloads, out);
    if (!schema.empty()) {
        out.text() += ",\"schema\":";
        json::append_string(out.text(), schema);
    }
    out.text() += '}';
    return out.finish();
}

}  // namespace writ::evidence

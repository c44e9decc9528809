#include "evidence/draft_reading.h"

namespace writ::evidence {

namespace {

// A member of `data` that is a string; null if it is not there.
const std::string* text_of(const json::Node& data, std::string_view member) {
    const auto* object = data.if_object();
    if (object == nullptr) return nullptr;
    const auto found = object->find(member);
    return found == object->end() ? nullptr : found->second.if_string();
}

}  // namespace

std::string_view seal_word(std::string_view reason) {
    if (reason == "ended") return "completed";
    if (reason == "expired") return "timeout";
    for (const std::string_view word :
         {"completed", "timeout", "revoked", "crashed", "superseded"}) {
        if (reason == word) return word;
    }
    return "other";
}

std::string_view owner_of(const Draft& draft, const Payload& payload) {
    for (const std::string_view role : {"tool_list", "policy", "config"}) {
        if (payload.role == role) return {};
    }
    if (const std::string* subject = text_of(draft.data, "subject")) return *subject;
    for (const auto& behalf : draft.actor->on_behalf_of) {
        if (behalf.kind == "human") return behalf.sub;
    }
    if (!draft.actor->on_behalf_of.empty()) return draft.actor->on_behalf_of.back().sub;
    if (!draft.actor->agent.empty()) return draft.actor->agent;
    return draft.actor->op.starts_with("ps:") ? std::string_view(draft.actor->op)
                                              : std::string_view();
}

bool verdict_is(const Draft& draft, std::string_view word) {
    if (!draft.verdict.empty()) return draft.verdict == word;
    const std::string* kind = text_of(draft.data, "kind");
    return kind != nullptr && *kind == word;
}

bool narrows(std::string_view type) {
    return type == "task.ended" || type == "session.sealed" || type == "evidence.gap" ||
           type == "evidence.degraded" || type == "identity.revoked" ||
           type == "identity.expired" || type == "containment.applied";
}

}  // namespace writ::evidence

#include "evidence/log_watch.h"

#include <algorithm>

namespace writ::evidence {

namespace {

// Of health's lists, which are bounded themselves.
constexpr std::size_t kMaxTold = 64;

Draft degraded(std::string_view what, std::string_view state) {
    Draft out;
    out.type = "evidence.degraded";
    out.data["what"] = what;
    out.data["state"] = state;
    return out;
}

}  // namespace

void LogWatch::look_at_quorum(const ledger::Health& health, std::int64_t now_us,
                              std::vector<Draft>& out) {
    if (health.quorum == has_quorum_) return;
    has_quorum_ = health.quorum;
    Draft draft = degraded("quorum", health.quorum ? "regained" : "lost");
    if (!quorum_.empty()) draft.data["quorum"] = quorum_;
    draft.data["witnessed"] = health.witnessed;
    draft.data["durable"] = health.durable;
    if (health.quorum) {
        draft.data["lost_ms"] = std::max<std::int64_t>(now_us - lost_us_, 0) / 1'000;
    } else {
        lost_us_ = now_us;
        for (const auto& witness : health.witnesses) {
            if (witness.trouble.empty()) continue;
            json::Node entry = json::Node::object();
            entry["name"] = witness.name;
            entry["trouble"] = witness.trouble;
            draft.data["witnesses"].push_back(std::move(entry));
        }
    }
    out.push_back(std::move(draft));
}

void LogWatch::look_at_witnesses(const ledger::Health& health, std::int64_t now_us,
                                 std::vector<Draft>& out) {
    const bool news = health.witnessed > witnessed_ + own_;
    const bool due = told_us_ == 0 || now_us - told_us_ >= kWitnessedEvery_us;
    if (health.witnesses.empty() || !health.quorum || !news || !due) return;
    Draft draft;
    draft.type = "checkpoint.witnessed";
    draft.data["size"] = health.witnessed;
    if (!quorum_.empty()) draft.data["quorum"] = quorum_;
    for (const auto& witness : health.witnesses) {
        if (witness.size >= health.witnessed) draft.data["witnesses"].push_back(witness.name);
    }
    witnessed_ = health.witnessed;
    told_us_ = now_us;
    own_ = 0;
    out.push_back(std::move(draft));
}

std::vector<Draft> LogWatch::look(const ledger::Health& health, std::int64_t now_us) {
    std::vector<Draft> out;
    look_at_quorum(health, now_us, out);
    for (const auto& what : health.tampered) {
        if (tampered_.size() >= kMaxTold || !tampered_.insert(what).second) continue;
        Draft draft = degraded("files", "changed");
        draft.data["detail"] = what;
        out.push_back(std::move(draft));
    }
    if (health.mirror_trouble != mirror_trouble_) {
        mirror_trouble_ = health.mirror_trouble;
        Draft draft = degraded("mirror", mirror_trouble_.empty() ? "regained" : "lost");
        if (!mirror_trouble_.empty()) draft.data["detail"] = mirror_trouble_;
        draft.data["mirrored"] = health.mirrored;
        out.push_back(std::move(draft));
    }
    look_at_witnesses(health, now_us, out);
    own_ += out.size();
    return out;
}

}  // namespace writ::evidence

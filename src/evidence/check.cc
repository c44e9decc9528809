// What is remembered of a log while its leaves go by, and what contradicts it.
#include "evidence/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"

namespace writ::evidence {

namespace {

// Whether each number of [from, to] lies in one of `declared`.
bool covered(std::uint64_t from, std::uint64_t to,
             std::vector<std::pair<std::uint64_t, std::uint64_t>> declared) {
    std::ranges::sort(declared);
    for (const auto& [low, high] : declared) {
        if (low > from) return false;
        if (high >= to) return true;
        from = std::max(from, high + 1);
    }
    return false;
}

}  // namespace

void Checker::finding(std::uint64_t index, std::string_view what) {
    if (report_.findings.size() < kMaxFindings) {
        report_.findings.push_back(fmt::format("event {}: {}", index, inert(what, 512)));
    } else {
        ++unsaid_;
    }
}

void Checker::feed(std::uint64_t index, std::string_view bytes, const Sha256& hash) {
    ++report_.events;
    const auto leaf = read_leaf(bytes);
    if (!leaf) {
        finding(index, leaf.error().detail);
        return;
    }
    if (auto ok = check_canonical(*leaf, bytes); !ok) finding(index, ok.error().detail);
    if (!known_type(leaf->type)) finding(index, fmt::format("unknown type `{}`", leaf->type));
    if (report_.events == 1) tenant_ = leaf->tenant;
    if (leaf->tenant != tenant_) {
        finding(index, fmt::format("tenant `{}` in the log of `{}`", leaf->tenant, tenant_));
    }
    for (const auto& cause : leaf->causes) mentions_.cause(index, cause.id);
    mentions_.id(index, leaf->id);
    key_.assign(leaf->emitter).append("#").append(leaf->boot);
    check_emitter(index, *leaf);
    check_call(index, *leaf, check_chain(index, *leaf, hash));
}

void Checker::check_emitter(std::uint64_t index, const Leaf& leaf) {
    if (emitter_ == nullptr || emitter_key_ != key_) {
        emitter_ = &emitters_[key_];
        emitter_key_ = key_;
    }
    Emitter& emitter = *emitter_;
    if (!emitter.begun && !from_start_) emitter.next = leaf.seq;
    emitter.begun = true;
    if (leaf.seq > emitter.next) emitter.holes.emplace_back(emitter.next, leaf.seq - 1);
    if (leaf.seq < emitter.next) {
        finding(index, fmt::format("sequence number {} of {} comes after {}", leaf.seq,
                                   leaf.emitter, emitter.next - 1));
    }
    if (leaf.t_us < emitter.t_us) {
        finding(index, fmt::format("time of {} goes back by {} us", leaf.emitter,
                                   emitter.t_us - leaf.t_us));
    }
    emitter.next = std::max(emitter.next, leaf.seq + 1);
    emitter.at = index;
    emitter.t_us = std::max(emitter.t_us, leaf.t_us);
    if (leaf.type == "evidence.gap" && leaf.text("why") == "lost") {
        const auto from = leaf.number("from");
        const auto to = leaf.number("to");
        const bool sound = from >= 0 && from <= to && leaf.number("n") == to - from + 1;
        if (!sound) finding(index, "evidence.gap does not add up");
        if (sound) {
            emitter.declared.emplace_back(static_cast<std::uint64_t>(from),
                                          static_cast<std::uint64_t>(to));
        }
    }
}

bool Checker::check_chain(std::uint64_t index, const Leaf& leaf, const Sha256& hash) {
    const bool of_session = leaf.chain == leaf.session && !leaf.session.empty();
    if (!of_session && leaf.chain != key_) {
        finding(index,
                fmt::format("chain `{}` is neither its session's nor its emitter's", leaf.chain));
        return from_start_;
    }
    if (of_session && sealed_.contains(0, leaf.chain)) {
        finding(index, fmt::format("chain of session {} goes on after its seal", leaf.session));
        return from_start_;
    }
    auto it = chains_.find(leaf.chain);
    const bool first = it == chains_.end();
    if (first) it = chains_.try_emplace(std::string(leaf.chain)).first;
    Chain& chain = it->second;
    if (first) chain.session = of_session;
    if (first && of_session) ++report_.sessions;
    const bool taken_up = first && !from_start_ && leaf.chain_seq > 0;
    if (taken_up) {
        chain.whole = false;
        chain.next = leaf.chain_seq;
    } else if (first && of_session && leaf.type != "session.started") {
        finding(index, fmt::format("chain of session {} does not begin with session.started",
                                   leaf.session));
    }
    const bool starts = leaf.chain_seq == 0;
    if (leaf.chain_seq < chain.next) {
        finding(index, fmt::format("chain {} number {} comes after {}", leaf.chain, leaf.chain_seq,
                                   chain.next - 1));
    } else if (taken_up) {
        // What it links to is gone.
    } else if (leaf.chain_seq > chain.next || starts == leaf.prev.has_value() ||
               (!starts && *leaf.prev != chain.prev)) {
        if (breaks_.size() < kMaxFindings)
            breaks_.push_back({index,
                               fmt::format("chain {} does not link: number {} after {} events",
                                           leaf.chain, leaf.chain_seq, chain.next),
                               key_, leaf.seq});
    }
    chain.next = std::max(chain.next, leaf.chain_seq + 1);
    chain.prev = hash;
    ++chain.seen;
    chain.calls += leaf.type == "call.decided" ? 1 : 0;
    chain.denied += leaf.type == "call.decided" && leaf.text("kind") == "forbid" ? 1 : 0;
    const bool whole = chain.whole && (chain.session || from_start_);
    if (leaf.type != "session.sealed") return whole;
    check_seal(index, leaf, chain);
    if (!chain.session) return whole;
    sealed_.insert(0, leaf.chain);
    chains_.erase(it);
    return whole;
}

void Checker::check_seal(std::uint64_t index, const Leaf& leaf, Chain& chain) {
    if (!chain.session) {
        finding(index, "session.sealed outside its session's chain");
        return;
    }
    const auto events = static_cast<std::uint64_t>(leaf.number("events"));
    // With a lost event in the chain the counts cannot be compared; the break is judged at the end.
    const bool whole = chain.whole && chain.seen == chain.next;
    if (events != chain.next) {
        finding(index, fmt::format("seal of session {} counts {} events, the chain has {}",
                                   leaf.session, events, chain.next));
    }
    const bool counts = static_cast<std::uint64_t>(leaf.number("calls")) == chain.calls &&
                        static_cast<std::uint64_t>(leaf.number("denied")) == chain.denied;
    if (whole && !counts) {
        finding(index, fmt::format("seal of session {} counts {} calls and {} denied, the chain "
                                   "has {} and {}",
                                   leaf.session, leaf.number("calls"), leaf.number("denied"),
                                   chain.calls, chain.denied));
    }
}

void Checker::check_call(std::uint64_t index, const Leaf& leaf, bool whole) {
    const bool decided = leaf.type == "call.decided";
    if (!decided && leaf.type != "call.ended") return;
    if (leaf.call.empty()) {
        finding(index, fmt::format("{} without a call", leaf.type));
        return;
    }
    call_.assign(leaf.call).append("/").append(std::to_string(leaf.attempt));
    if (!decided) mentions_.end(index, call_, whole);
    if (decided && leaf.text("kind") == "permit") mentions_.permit(index, call_);
}

void Checker::say(const Mentions::Found& found, const ReadAgain& entry) {
    const std::string bytes = entry(found.index);
    const auto leaf = read_leaf(bytes);
    if (!leaf) return finding(found.index, leaf.error().detail);
    switch (found.what) {
        case Mentions::Wrong::kSecondId:
            return finding(found.index, fmt::format("id {} occurs a second time", leaf->id));
        case Mentions::Wrong::kSecondPermit:
            return finding(found.index, fmt::format("call {} is permitted twice", leaf->call));
        case Mentions::Wrong::kEndBeforePermit:
            return finding(
                found.index,
                fmt::format("call {} ended without a decision that permits it", leaf->call));
        case Mentions::Wrong::kSecondEnd:
            return finding(found.index, fmt::format("call {} ended twice", leaf->call));
        case Mentions::Wrong::kUnknownCause:
            break;
    }
    for (const auto& cause : leaf->causes) {
        if (mentions_.fingerprint_of_id(cause.id) != found.fingerprint) continue;
        return finding(found.index,
                       fmt::format("{} {}, which is not an earlier event", cause.rel, cause.id));
    }
}

CheckReport Checker::finish(const ReadAgain& entry) {
    if (const auto wrong = mentions_.finish(kMaxFindings); wrong) {
        for (const auto& found : wrong->found) say(found, entry);
        unsaid_ += wrong->more;
    } else {
        report_.findings.push_back("ids were not checked: " + wrong.error().message());
    }
    for (const auto& [name, emitter] : emitters_) {
        for (const auto& [from, to] : emitter.holes) {
            if (covered(from, to, emitter.declared)) continue;
            finding(emitter.at, fmt::format("emitter {}: sequence numbers {} to {} are missing",
                                            name, from, to));
        }
    }
    for (const auto& broken : breaks_) {
        const auto& emitter = emitters_[broken.emitter];
        const bool lost = std::ranges::any_of(
            emitter.declared, [&](const auto& range) { return range.first < broken.before; });
        if (!lost) finding(broken.index, broken.what);
    }
    for (const auto& [uid, chain] : chains_) {
        if (chain.session) ++report_.open_sessions;
    }
    if (unsaid_ > 0) report_.findings.push_back(fmt::format("and {} more", unsaid_));
    return std::move(report_);
}

}  // namespace writ::evidence

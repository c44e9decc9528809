// From a name to the entries that belong to it.
#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/ids.h"
#include "evidence/leaf.h"
#include "evidence/summary.h"
#include "evidence/trace_build.h"

namespace writ::evidence {

namespace {

using Indexes = std::vector<std::uint64_t>;

Indexes joined(const Indexes& a, const Indexes& b) {
    Indexes out;
    out.reserve(a.size() + b.size());
    std::ranges::set_union(a, b, std::back_inserter(out));
    return out;
}

Result<Named> by_uuid(LogIndex& index, const Uuid& id) {
    auto task = index.by_task(id);
    if (!task) return fail(task.error());
    if (!task->empty()) return Named{"task", std::move(*task)};
    auto session = index.by_session(id);
    if (!session) return fail(session.error());
    if (!session->empty()) return Named{"session", std::move(*session)};
    auto keyed = index.by_key(id);
    if (!keyed || keyed->empty()) return keyed ? Named{} : Result<Named>(fail(keyed.error()));
    // What the id is to the first of them says what it is.
    const auto bytes = index.source().entry(keyed->front());
    if (!bytes) return fail(bytes.error());
    const auto leaf = read_leaf(*bytes);
    if (!leaf) return fail(leaf.error());
    const std::string text = id.text();
    if (leaf->call == text) return Named{"call", std::move(*keyed)};
    if (leaf->id == text) return Named{"event", std::move(*keyed)};
    const auto owner = Uuid::parse(leaf->session);
    if (!owner) return Named{"token", std::move(*keyed)};
    auto all = index.by_session(*owner);
    if (!all) return fail(all.error());
    return Named{"token", std::move(*all)};
}

// The newest sessions that the agent had.
Result<Named> by_agent(LogIndex& index, std::string_view what) {
    Query query;
    query.agent = what;
    query.type = "session.started";
    query.limit = kMaxAgentSessions;
    const auto found = index.search(query);
    if (!found) return fail(found.error());
    Named out{"agent", {}};
    for (const auto at : *found) {
        const auto bytes = index.source().entry(at);
        if (!bytes) return fail(bytes.error());
        const auto leaf = read_leaf(*bytes);
        const auto session = leaf ? Uuid::parse(leaf->session) : std::nullopt;
        if (!session) continue;
        const auto events = index.by_session(*session);
        if (!events) return fail(events.error());
        out.indexes = joined(out.indexes, *events);
    }
    return out;
}

Result<Named> by_text(LogIndex& index, std::string_view what) {
    Query query;
    query.text = what;
    query.limit = kMaxTextHits;
    auto found = index.search(query);
    if (!found) return fail(found.error());
    Named out{"text", {}};
    std::ranges::sort(*found);
    for (const auto at : *found) {
        const auto bytes = index.source().entry(at);
        if (!bytes) return fail(bytes.error());
        const auto leaf = read_leaf(*bytes);
        const auto call = leaf ? Uuid::parse(leaf->call) : std::nullopt;
        out.indexes = joined(out.indexes, {at});
        if (!call) continue;
        const auto events = index.by_key(*call);
        if (!events) return fail(events.error());
        out.indexes = joined(out.indexes, *events);
    }
    return out;
}

}  // namespace

Result<Named> find_named(LogIndex& index, std::string_view what) {
    Result<Named> out = Named{};
    if (const auto id = Uuid::parse(what)) {
        out = by_uuid(index, *id);
    } else if (!what.empty()) {
        out = by_agent(index, what);
        if (out && out->indexes.empty()) out = by_text(index, what);
    }
    if (!out) return out;
    if (out->indexes.empty()) {
        return fail(ErrorCode::kNotFound,
                    "nothing in this log has the id `" + std::string(what) +
                        "`, and no event has these words; see `writ evidence search --help`");
    }
    return out;
}

namespace {

// Reads events once, hands each that belongs here to `take`, and knows which ids are among them.
class Collector {
  public:
    using Take = std::function<void(std::uint64_t at, std::string_view bytes, const Leaf& leaf)>;
    Collector(LogIndex& index, Take take) : index_(index), take_(std::move(take)) {}

    // `wanted` rising; with `only_effects` an event stays out unless one of its causes is in.
    Status read(const Indexes& wanted, bool only_effects) {
        fresh_.clear();
        here_.reserve(here_.size() + wanted.size());
        ids_.reserve(ids_.size() + wanted.size());
        return index_.source().pick(wanted, [&](std::uint64_t at, std::string_view bytes) {
            const auto leaf = read_leaf(bytes);
            if (!leaf) return true;  // the check reports it
            const bool effect = std::ranges::any_of(leaf->causes, [&](const LeafCause& cause) {
                const auto id = Uuid::parse(cause.id);
                return id && ids_.contains(*id);
            });
            if (!only_effects || effect) add(at, bytes, *leaf);
            return true;
        });
    }

    // Entries that name one of the events read last.
    Result<Indexes> effects() {
        auto next = index_.naming(fresh_);
        if (next) std::erase_if(*next, [&](std::uint64_t at) { return here_.contains(at); });
        return next;
    }

    // Entries of causes that are not in yet.
    Result<Indexes> causes() {
        std::set<std::uint64_t> next;
        for (const auto& id : std::exchange(up_, {})) {
            if (ids_.contains(id) || !asked_.insert(id).second) continue;
            const auto found = index_.by_key(id);
            if (!found) return found;
            next.insert(found->begin(), found->end());
        }
        return Indexes(next.begin(), next.end());
    }

  private:
    void add(std::uint64_t at, std::string_view bytes, const Leaf& leaf) {
        if (!here_.insert(at).second) return;
        for (const auto& cause : leaf.causes) {
            if (const auto id = Uuid::parse(cause.id)) up_.push_back(*id);
        }
        if (const auto id = Uuid::parse(leaf.id)) {
            ids_.insert(*id);
            fresh_.push_back(*id);
        }
        take_(at, bytes, leaf);
    }

    LogIndex& index_;
    const Take take_;
    std::unordered_set<std::uint64_t> here_;
    std::unordered_set<Uuid> ids_;
    std::set<Uuid> asked_;
    std::vector<Uuid> fresh_, up_;
};

Tone tone_of(const Leaf& leaf) {
    if (leaf.type == "call.decided" || leaf.type == "call.inward") {
        const auto kind = leaf.text("kind");
        return kind == "permit" ? Tone::kPermit : kind == "hold" ? Tone::kHold : Tone::kForbid;
    }
    if (leaf.type == "call.ended") {
        return leaf.text("status") == "ok" && leaf.text("agreement") == "match" ? Tone::kOk
                                                                                : Tone::kBad;
    }
    const bool bad = leaf.type == "evidence.gap" || leaf.type == "evidence.degraded" ||
                     leaf.type == "limit.tripped" || leaf.type == "clock.step" ||
                     leaf.type == "containment.applied";
    return bad ? Tone::kBad : Tone::kOther;
}

TrailEvent trail_event(std::uint64_t at, const Leaf& leaf) {
    TrailEvent event;
    event.index = at;
    event.id = Uuid::parse(leaf.id).value_or(Uuid{});
    event.t_us = leaf.t_us;
    event.tone = tone_of(leaf);
    event.type = leaf.type;
    event.summary = summary(leaf);
    event.causes.reserve(leaf.causes.size());
    for (const auto& cause : leaf.causes) {
        event.causes.push_back({std::string(cause.rel), std::string(cause.basis),
                                Uuid::parse(cause.id).value_or(Uuid{})});
    }
    return event;
}

// Everything connected to `what`, in no order. What `what` is.
Result<std::string> walk(LogIndex& index, std::string_view what, Collector::Take take) {
    auto named = find_named(index, what);
    if (!named) return fail(named.error());
    Collector collector(index, std::move(take));
    if (auto ok = collector.read(named->indexes, false); !ok) return fail(ok.error());
    while (true) {  // forwards: whoever names one of them
        const auto next = collector.effects();
        if (!next) return fail(next.error());
        if (next->empty()) break;
        if (auto ok = collector.read(*next, true); !ok) return fail(ok.error());
    }
    while (true) {  // and backwards
        const auto next = collector.causes();
        if (!next) return fail(next.error());
        if (next->empty()) break;
        if (auto ok = collector.read(*next, false); !ok) return fail(ok.error());
    }
    return std::move(named->kind);
}

}  // namespace

Result<Connected> collect_connected(LogIndex& index, std::string_view what, Keep keep) {
    Connected out;
    bool keeps = keep != Keep::kNone;
    auto kind = walk(index, what, [&](std::uint64_t at, std::string_view bytes, const Leaf& leaf) {
        out.events.push_back(trail_event(at, leaf));
        if (keeps && keep == Keep::kFew && out.events.size() > kMaxFewLeaves) {
            keeps = false;
            for (auto& event : out.events) event.json = {};
        }
        if (keeps) out.events.back().json = bytes;
    });
    if (!kind) return fail(kind.error());
    out.kind = std::move(*kind);
    std::ranges::sort(out.events, {}, &TrailEvent::index);
    return out;
}

Result<Named> find_connected(LogIndex& index, std::string_view what) {
    Named out;
    auto kind = walk(index, what, [&out](std::uint64_t at, std::string_view, const Leaf&) {
        out.indexes.push_back(at);
    });
    if (!kind) return fail(kind.error());
    out.kind = std::move(*kind);
    std::ranges::sort(out.indexes);
    return out;
}

}  // namespace writ::evidence

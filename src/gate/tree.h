// What a home reactor keeps of one task tree: calls spent per link, denials, sessions with an open
// chain. Not thread-safe: touched on the home reactor only.
//
// Every link of a chain counts what was permitted in its whole subtree, so that a child spends its
// parents' budgets too.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "evidence/event.h"
#include "gate/gate.h"
#include "gate/passage.h"

namespace writ::gate {

struct TaskStanding;

// Refused calls of one task before it is revoked: an agent that is told `no` a hundred times is
// probing, not working.
inline constexpr std::int64_t kMaxDenials_per_task = 100;
// The same for all tasks of a tree together, so that spawning children does not renew the
// allowance.
inline constexpr std::int64_t kMaxDenials_per_tree = 1'000;
// Excused refusals of a tree (Spent::excused): each is an event, so they end too.
inline constexpr std::int64_t kMaxExcused_per_tree = 10'000;
// Calls of one tree that are admitted and not yet closed. Agents run tens at once.
inline constexpr std::int64_t kMaxLiveCalls_per_tree = 1'000;

class Tree {
  public:
    // One link. `spent` counts its whole subtree, `own_denied` the strikes of its own sessions.
    struct Link {
        identity::TaskPtr task;  // null when restored before the directory knew it
        Spent spent;
        std::int64_t own_denied = 0;
        bool start_recorded = false;  // task.started is durable
        bool ended = false;           // task.ended was handed over
        bool end_recorded = false;    // and is durable
    };
    // A session whose evidence chain is open.
    struct Chain {
        identity::SessionPtr session;
        Spent spent;
        evidence::ActorRef
            actor;  // the same for every event of the session, but for the credential's expiry
    };

    // Makes the links of `task`'s chain known. Cheap when they are.
    void know(const identity::TaskPtr& task);
    Link& link(const TaskId& id) { return links_[id]; }
    const Link* find(const TaskId& id) const;
    // Tasks that are `id` or below it and have no task.ended yet, youngest first.
    std::vector<identity::TaskPtr> unended_below(const TaskId& id) const;

    // The first link of the chain whose budget is used up, nearest first.
    std::optional<BudgetLine> exhausted(const identity::Task& task) const;
    // Counts one permitted call on every link; returns the tightest line after it.
    BudgetLine debit(const identity::Session& session);
    // Takes a debit back: its decision could not be recorded, so nothing happened.
    void credit(const identity::Session& session);
    // Counts one refusal. Returns the task to revoke when a limit was reached by it; one that is
    // `excused` has a limit of its own.
    std::optional<TaskId> deny(const identity::Session& session, bool excused = false);

    Chain* chain(const SessionId& id);
    const Chain* chain(const SessionId& id) const;
    // Every link whose end is not recorded, with what its sealed sessions have spent.
    void describe(std::vector<TaskStanding>& out) const;
    Chain& open_chain(identity::SessionPtr session, evidence::ActorRef actor);
    // Sessions with an open chain whose task is `id` or below it.
    std::vector<identity::SessionPtr> chains_below(const TaskId& id) const;
    // Forgets the chain and returns what it counted; nothing if it is not open (never was, or is
    // sealed).
    std::optional<Chain> seal(const SessionId& id);

    std::int64_t live = 0;  // admitted, not closed
    // Nothing is open here and the root is dead: it may be forgotten.
    bool forgettable(const TaskId& root, std::int64_t boot_us) const;

  private:
    std::unordered_map<TaskId, Link> links_;
    std::unordered_map<SessionId, Chain> chains_;
};

}  // namespace writ::gate

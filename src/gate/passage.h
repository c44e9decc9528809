// One call on its way through the gate, and the policies it is decided under. Inner header of the
// room.
//
// A Passage is made at the home reactor of its task tree and shared by the tree's list of live
// calls and by the Admission that the door holds. Everything but the atomics is written at home
// before the Admission is handed out, and only read afterwards; that is why an Admission may be
// asked to depart() from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "gate/gate.h"
#include "gate/redact.h"
#include "json/value.h"

namespace writ::gate {

// An engine with the number of the swap that brought it.
struct EngineAt {
    std::shared_ptr<const policy::Engine> engine;
    std::uint64_t epoch = 0;
    std::int64_t since_boot_us = 0;  // of that swap
};

// The policies in force. Thread: any. Readers compare one atomic and take the mutex only after a
// swap.
class Engines {
  public:
    Engines(std::shared_ptr<const policy::Engine> engine, std::int64_t boot_us);
    void set(std::shared_ptr<const policy::Engine> engine, std::int64_t boot_us);
    EngineAt get() const;
    // Brings `at` up to date. Cheap when it is.
    void refresh(EngineAt& at) const;
    bool is_current(const EngineAt& at) const {
        return at.epoch == epoch_.load(std::memory_order_acquire);
    }

  private:
    mutable std::mutex mutex_;  // guards engine_ and since_ together with the step of epoch_
    std::shared_ptr<const policy::Engine> engine_;
    std::int64_t since_boot_us_;
    std::atomic<std::uint64_t> epoch_{1};
};

// What the tightest budget of a chain says: `calls` used (this one included when it was permitted)
// of `limit`, of that task. Where no link has a budget: the caller's own task with limit 0.
struct BudgetLine {
    std::int64_t calls = 0, limit = 0;
    TaskId task;
};

struct Passage {
    // The call as it came; `arguments` stays where it is, `document` points into it.
    Call call;
    CallId id;
    EventId decision;                   // id of its call.decided, chosen beforehand
    std::int64_t began_us = 0;          // boot time
    std::int64_t asked_us = 0;          // wall time that the policies were asked with; 0: not asked
    std::int64_t latency_us = 0;        // until the verdict
    std::int64_t deadline_boot_us = 0;  // closes as `unknown` after it

    // Found by the stages.
    std::shared_ptr<const catalog::Tool> tool;
    std::optional<json::Document> document;
    std::optional<catalog::Resource> resource;
    EngineAt engine;
    policy::Verdict verdict;
    std::optional<BudgetLine> budget;
    evidence::Receipt receipt;

    // Shared between the home and the door.
    std::atomic<bool> closed{
        false};  // call.ended has been written or is being written; set at home only
    std::atomic<bool> departed{false};  // bytes may have left
    // A read that may leave before its decision is durable, and that it never will be.
    bool overlaps = false;
    std::atomic<bool> unrecorded{false};
    std::atomic<std::uint64_t> bytes{0};

    // Touched at home only.
    std::optional<net::Promise<Status>> pending;  // its decision, until it is awaited
    std::int64_t inward = 0;                      // requests of the upstream, all refused
    std::optional<std::list<std::shared_ptr<Passage>>::iterator> place;  // in the home's list

    const identity::Session& session() const { return *call.session; }
    const identity::Task& task() const { return *call.session->task; }
};
using PassagePtr = std::shared_ptr<Passage>;

// Why a session is not live: `revoked`, `ended` or `expired`; empty when it is live.
std::string_view death(const identity::Session& session, std::int64_t boot_us);

// Decides `passage` under `at`, whose stages before have found tool, arguments and resource.
// Permits only what the gate can carry out: an obligation it cannot fulfil forbids. Pure but for
// the patterns compiled; thread: any.
policy::Verdict decide(const Passage& passage, const EngineAt& at, std::int64_t now_us,
                       Patterns& patterns);

// The same after the policies were swapped. A tool, a rule or a mapping that is another one under
// `at` forbids: nothing is decided half by the old and half by the new.
policy::Verdict decide_anew(const Passage& passage, const EngineAt& at, std::int64_t now_us,
                            Patterns& patterns);

// Whether `at` knows the passage's tool by another definition than the one that was decided on.
bool is_redefined(const Passage& passage, const EngineAt& at);

// A forbid with its code, the whole reason for evidence and what the caller may be told.
policy::Verdict forbid(std::string code, std::string reason, std::string advice, bool granted);

// What the door is told. Whatever made the tool unavailable, a kUnknown refusal is the same value:
// its verdict and advice do not tell an ungranted tool from one that does not exist.
Refusal refusal_of(RefusalKind kind, policy::Verdict verdict);

}  // namespace writ::gate

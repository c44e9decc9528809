// The home of task trees on one reactor: their state, the list of calls that are open, and the pen
// that writes their evidence. Inner header of the room. Everything here is used on the home's
// reactor only, unless it says otherwise.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "evidence/sequence.h"
#include "gate/gate.h"
#include "gate/listings.h"
#include "gate/passage.h"
#include "gate/tree.h"

namespace writ::gate {

struct Standing;

// How often a home looks for admissions that nobody closed.
inline constexpr net::Millis kSweepEvery{1000};
// Refusals of strangers are one event in this time at most.
inline constexpr std::int64_t kStrangersEvery_us = 60'000'000;

// Ends of calls that are recorded as `unknown` once the log takes them.
inline constexpr std::size_t kMaxOwedEnds = 8192;

// Definitions of tools whose answer to overlaps() is kept; then all are judged anew.
inline constexpr std::size_t kMaxJudgedTools = 4096;

// What all homes share. Immutable but for `engines`, `patterns` and `listings`; thread: any.
struct Shared {
    identity::Directory& directory;
    catalog::Catalog& catalog;
    IdSource& ids;
    const Clock& clock;
    Engines engines;
    mutable Patterns patterns{};
    mutable Listings listings{};
    std::function<std::string(std::string_view)> pseudonym;
    std::vector<net::Reactor*> reactors;

    // The reactor of this thread, if it is one of ours: where a caller is brought back to.
    net::Reactor* here() const;
    // Whom a task acts for, as it may stand in a leaf.
    evidence::Behalf behalf(std::string_view subject) const;
};

// An evidence record under way.
using Ticket = net::Promise<Result<evidence::Receipt>>;

class HomeState : public std::enable_shared_from_this<HomeState> {
  public:
    HomeState(Home home, std::shared_ptr<Shared> shared);

    const Home& home() const { return home_; }
    net::Reactor& reactor() const { return *home_.reactor; }
    evidence::Recorder& recorder() const { return *home_.recorder; }
    const Shared& shared() const { return *shared_; }
    // Thread: any.
    Counts& counts() { return counts_; }
    // The policies in force, refreshed.
    const EngineAt& engine();

    // The state of a tree, made if it is not there. Forgets dead trees when there are too many.
    Tree& tree(const TaskId& root);
    Tree* find_tree(const TaskId& root);
    // What must not come back.
    const std::shared_ptr<const Secrets>& secrets() const { return secrets_; }
    void guard(std::shared_ptr<const Secrets> secrets) { secrets_ = std::move(secrets); }
    // Whether calls of `tool` may leave before their decision is durable; judged once a definition.
    bool overlaps(const std::shared_ptr<const catalog::Tool>& tool);
    // The actor of a session's events; opens its chain if it is not open.
    evidence::ActorRef actor(const identity::SessionPtr& session);
    // The same for what may come after the session was sealed, whose chain is not opened again:
    // then Writ speaks.
    evidence::ActorRef actor_or_writ(const SessionId& session);

    // Puts a permitted call on the list of open ones.
    void enlist(const PassagePtr& passage);
    // Takes it off. False if it was closed before.
    bool finish(Passage& passage);
    // Closes a call in the gate's own name; does nothing if it is closed.
    void close(const PassagePtr& passage, Status_ status, std::string error);
    // Closes every open call of `sessions`: `unknown` where bytes may have left, else `blocked`.
    void close_all(const std::unordered_set<SessionId>& sessions, const std::string& why);
    // Closes every open call as `unknown`.
    void abandon_all(const std::string& why);
    std::size_t open_calls() const { return open_.size(); }
    // Adds what must outlive this process, as far as the log has it.
    void describe(const evidence::Settled& settled, Standing& out) const;
    // To be called with every end of a call that the log did not take (Recorder::on_lost_end).
    void owe_end(const evidence::CallEnd& call);
    // Closes what is past its deadline, and writes counts of strangers that are due and ends that
    // are owed.
    void sweep();

    // Hands a record to the Recorder before it returns.
    Ticket submit(evidence::Draft draft);
    // Queue records on the reactor: they come after all that was handed over, in the order of these
    // calls, and share one sync of the disk.
    Ticket submit_later(evidence::Draft draft);
    Ticket submit_seal(SessionId session, std::string word, evidence::Draft draft);

    // Counts a refusal of somebody who is nobody here.
    void stranger(std::string_view code);
    // From now on nothing is written. Thread: any.
    void stop() { stopping_.store(true); }
    bool is_stopping() const { return stopping_.load(); }

  private:
    static net::Task<void> tick(std::shared_ptr<HomeState> self);
    void start_ticking();
    void write_strangers();
    void tell_owed_end();

    Home home_;
    std::shared_ptr<Shared> shared_;
    Counts counts_;
    EngineAt engine_;
    std::shared_ptr<const Secrets> secrets_;
    std::unordered_map<std::shared_ptr<const catalog::Tool>, bool> overlaps_;
    std::unordered_map<TaskId, Tree> trees_;
    std::list<PassagePtr>
        open_;  // in the order of their deadlines, which all lie equally far ahead
    std::map<std::string, std::int64_t, std::less<>> strangers_;
    std::int64_t strangers_since_us_ = 0;
    std::int64_t strangers_written_boot_us_;
    std::deque<evidence::CallEnd> owed_ends_;
    bool telling_end_ = false;  // the first of them is on its way to the log
    bool ticking_ = false;
    std::atomic<bool> stopping_{false};
};

}  // namespace writ::gate

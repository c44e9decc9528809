// The pipeline of one call (docs/architecture.md, section 2), at the home of its task tree:
//
//   authenticate ▶ resolve ▶ decide ▶ charge ▶ record (durable) ▶ re-check ▶ Admission
//
// Only a declared read (overlap.h) is admitted while its decision is still on its way to the disk.
//
// From authenticate to the hand-over of the decision to the Recorder nothing is awaited. So a
// session that died before is refused, and one that dies later is sealed behind the decision: its
// chain never goes on after its seal.
#include "gate/gate.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gate/admission.h"
#include "gate/core.h"
#include "gate/events.h"
#include "gate/overlap.h"

namespace writ::gate {

std::unique_ptr<Gate> Gate::make(std::vector<Home> homes, identity::Directory& directory,
                                 catalog::Catalog& catalog,
                                 std::shared_ptr<const policy::Engine> engine, IdSource& ids,
                                 const Clock& clock,
                                 std::function<std::string(std::string_view)> pseudonym) {
    WRIT_CHECK(!homes.empty());
    std::vector<net::Reactor*> reactors;
    reactors.reserve(homes.size());
    for (const Home& home : homes) reactors.push_back(home.reactor);
    std::shared_ptr<Shared> shared(
        new Shared{.directory = directory,
                   .catalog = catalog,
                   .ids = ids,
                   .clock = clock,
                   .engines = Engines(std::move(engine), clock.boot_us()),
                   .pseudonym = std::move(pseudonym),
                   .reactors = std::move(reactors)});
    return std::make_unique<Core>(std::move(homes), std::move(shared));
}

Core::Core(std::vector<Home> homes, std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
    homes_.reserve(homes.size());
    for (const Home& home : homes) {
        homes_.push_back(std::make_shared<HomeState>(home, shared_));
        home.recorder->on_lost_end(
            [state = std::weak_ptr(homes_.back())](const evidence::CallEnd& call) {
                if (const auto alive = state.lock()) alive->owe_end(call);
            });
    }
}

Core::~Core() {
    for (const auto& home : homes_) home->stop();
}

HomeState& Core::state(const TaskId& root) const {
    return *homes_[UuidHash{}(root) % homes_.size()];
}

Home Core::home(const TaskId& root) const {
    return state(root).home();
}

void Core::set_engine(std::shared_ptr<const policy::Engine> engine) {
    shared_->engines.set(std::move(engine), shared_->clock.boot_us());
}

void Core::guard(std::shared_ptr<const Secrets> secrets) {
    for (const auto& home : homes_) home->reactor().post([home, secrets] { home->guard(secrets); });
}

Totals Core::totals() const {
    Totals out;
    for (const auto& home : homes_) out.add(home->counts());
    return out;
}

std::shared_ptr<const policy::Engine> Core::engine() const {
    return shared_->engines.get().engine;
}

net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> Core::visible(
    identity::SessionPtr session) {
    std::vector<std::shared_ptr<const catalog::Tool>> out;
    if (!session || !session->live(shared_->clock.boot_us())) co_return out;
    const EngineAt at = shared_->engines.get();
    co_return shared_->listings.of(session->task, at, catalog_of(*at.engine),
                                   shared_->clock.now_us());
}

net::Task<bool> Core::serves(identity::SessionPtr session, std::string server) {
    auto listing = visible(session);
    const auto tools = co_await std::move(listing);
    for (const auto& tool : tools)
        if (tool->server == server) co_return true;
    if (!session || !session->live(shared_->clock.boot_us())) co_return false;
    const EngineAt at = shared_->engines.get();
    const std::int64_t now_us = shared_->clock.now_us();
    const auto known = catalog_of(*at.engine);
    for (const auto& tool : known->absent_tools())
        if (tool->server == server && at.engine->possible(*session->task, *tool, now_us))
            co_return true;
    const auto unknown = shared_->catalog.unknown_servers();
    co_return std::ranges::find(unknown, server) != unknown.end() &&
        grants_name(*session->task, server, now_us);
}

void Core::turned_away(const identity::SessionPtr& session) {
    std::string_view code = "unauthenticated";
    if (session) code = death(*session, shared_->clock.boot_us());
    if (code.empty()) return;  // it lives: renewed just now
    home_here().counts().count_refusal(RefusalKind::kUnauthenticated);
    note_stranger(code);
}

net::Task<Answer> Core::admit(Call call) {
    const std::int64_t now = shared_->clock.boot_us();
    const std::string_view code = call.session ? death(*call.session, now) : "unauthenticated";
    if (!code.empty()) {
        homes_.front()->counts().count_refusal(RefusalKind::kUnauthenticated);
        co_return turn_away(code);
    }
    net::Reactor* back = shared_->here();
    auto passage = std::make_shared<Passage>();
    passage->began_us = now;
    passage->call = std::move(call);
    if (const auto read = std::exchange(passage->call.read, std::nullopt))
        passage->document = json::Document::of(*read, passage->call.arguments);
    HomeState& home = state(passage->task().root);
    co_await home.reactor().hop();
    co_await home.reactor().in_step();
    auto passing = pass(home, std::move(passage));
    Answer answer = co_await std::move(passing);
    if (const auto* refusal = std::get_if<Refusal>(&answer))
        home.counts().count_refusal(refusal->kind);
    if (back != nullptr) co_await back->hop();
    co_return answer;
}

// The home of this thread, or the first where it is none's.
HomeState& Core::home_here() const {
    for (const auto& home : homes_)
        if (home->reactor().on_this_thread()) return *home;
    return *homes_.front();
}

// A caller that is nobody: counted, never one event each.
void Core::note_stranger(std::string_view code) const {
    HomeState& counting = home_here();
    if (counting.reactor().on_this_thread()) {
        counting.stranger(code);
    } else {
        counting.reactor().post([home = counting.shared_from_this(), text = std::string(code)] {
            home->stranger(text);
        });
    }
}

Answer Core::turn_away(std::string_view code) const {
    note_stranger(code);
    const std::string advice = code == "unauthenticated"
                                   ? std::string("there is no valid credential")
                                   : "the task or session has " +
                                         std::string(code == "revoked" ? "been " : "") +
                                         std::string(code);
    return refusal_of(RefusalKind::kUnauthenticated,
                      forbid(std::string(code), advice, advice, false));
}

net::Task<Answer> Core::pass(HomeState& home, PassagePtr passage) {
    Passage& p = *passage;
    const std::string_view dead = death(p.session(), shared_->clock.boot_us());
    if (!dead.empty()) co_return turn_away(dead);

    p.id = shared_->ids.mint<CallId>();
    p.decision = shared_->ids.mint<EventId>();
    p.engine = home.engine();
    if (!p.call.trace.valid()) {
        std::string peer = std::move(p.call.trace.peer);
        p.call.trace = evidence::Trace::start();
        p.call.trace.peer = std::move(peer);
    }
    evidence::ActorRef by = home.actor(p.call.session);

    std::optional<RefusalKind> no = resolve(p);
    if (!no) no = judge(p);
    if (!no) no = charge(home, p);
    p.latency_us = shared_->clock.boot_us() - p.began_us;
    home.counts().count_decision(p.verdict.code, p.latency_us);
    if (no) {
        auto refusing = refuse(home, std::move(passage), *no);
        co_return co_await std::move(refusing);
    }

    home.enlist(passage);
    evidence::Draft draft = events::call_decided(p, std::move(by));
    if (home.overlaps(p.tool) && !names_a_place(p.document->root())) {
        record_meanwhile(home, passage, std::move(draft));
        co_return recheck(home, passage);
    }
    auto recording = home.recorder().record(std::move(draft));
    Result<evidence::Receipt> receipt = co_await std::move(recording);
    if (!receipt) {
        home.finish(p);
        if (Tree* tree = home.find_tree(p.task().root)) tree->credit(p.session());
        Refusal refusal = refusal_of(
            RefusalKind::kUnrecordable,
            forbid("unrecordable", "the decision could not be recorded: " + receipt.error().detail,
                   "the gateway cannot record what happens now, so nothing was done", true));
        refusal.call = p.id;
        co_return Answer(std::move(refusal));
    }
    p.receipt = std::move(*receipt);
    co_return recheck(home, passage);
}

// The catalog that belongs to the policies: tools, rules and policies of one moment, also while
// they are swapped. An engine without one (a test's) reads the present one.
std::shared_ptr<const catalog::Snapshot> Core::catalog_of(const policy::Engine& engine) const {
    auto own = engine.catalog();
    return own ? own : shared_->catalog.snapshot();
}

// Finds the tool, reads the arguments once and maps what the call touches. A caller whose task does
// not see the tool is told the same whatever was wrong.
std::optional<RefusalKind> Core::resolve(Passage& p) const {
    const auto snapshot = catalog_of(*p.engine.engine);
    p.tool = snapshot->by_exposed(p.call.tool);
    if (!p.tool) {
        if (const auto absent = snapshot->absent(p.call.tool);
            absent && p.engine.engine->visible(p.task(), *absent)) {
            const bool listed = absent->listed_at != nullptr;
            p.verdict =
                forbid(std::string(kUnavailableCode),
                       listed ? "the pin of `" + absent->qualified() + "` is not stored yet"
                              : "`" + absent->server + "` has not listed its tools since the start",
                       listed ? "the tool is new and not ready yet; try again in a moment"
                              : "the tool's server is still starting; try again in a moment",
                       true);
            return RefusalKind::kForbidden;
        }
        p.verdict = forbid("unknown_tool", "no server offers this tool", {}, false);
        return RefusalKind::kUnknown;
    }
    std::optional<RefusalKind> no;
    if (p.tool->changed) {
        p.verdict = forbid("tool_changed", "the definition is not the one that was pinned",
                           "the tool's definition changed and no person has accepted it yet", true);
        no = RefusalKind::kForbidden;
    } else if (Status read = read_arguments(p, *snapshot); !read) {
        const std::string& why = read.error().detail;
        p.verdict = forbid("bad_argument", why, events::clip(why, events::kMaxReasonBytes), true);
        no = RefusalKind::kInvalid;
    }
    if (!no || p.engine.engine->visible(p.task(), *p.tool)) return no;
    p.verdict.granted = false;
    return RefusalKind::kUnknown;
}

Status Core::read_arguments(Passage& p, const catalog::Snapshot& snapshot) const {
    if (!p.document) {
        Result<json::Document> document = json::parse(p.call.arguments);
        if (!document) return fail(document.error().in("the arguments are not valid"));
        p.document = std::move(*document);
    }
    const json::Value root = p.document->root();
    if (!root.is_object()) return fail(ErrorCode::kInvalid, "the arguments are not an object");
    if (Status ok = snapshot.check_sensitive(*p.tool, root); !ok) return ok;
    Result<catalog::Resource> resource = snapshot.resource(*p.tool, root);
    if (!resource) return fail(resource.error());
    p.resource = std::move(*resource);
    return {};
}

std::optional<RefusalKind> Core::judge(Passage& p) const {
    p.asked_us = shared_->clock.now_us();
    p.verdict = decide(p, p.engine, p.asked_us, shared_->patterns);
    if (p.verdict.kind == policy::Kind::kPermit) return std::nullopt;
    if (!p.verdict.granted) return RefusalKind::kUnknown;
    return p.verdict.code == "bad_argument" ? RefusalKind::kInvalid : RefusalKind::kForbidden;
}

// The budgets of the whole chain and the bound on calls at once; debits when there is room.
std::optional<RefusalKind> Core::charge(HomeState& home, Passage& p) const {
    Tree& tree = home.tree(p.task().root);
    const auto stop = [&p](std::string code, std::string reason, std::string advice) {
        p.verdict.kind = policy::Kind::kForbid;
        p.verdict.code = std::move(code);
        p.verdict.reason = std::move(reason);
        p.verdict.advice = std::move(advice);
        return RefusalKind::kForbidden;
    };
    if (auto line = tree.exhausted(p.task())) {
        p.budget = line;
        const std::string calls = std::to_string(line->limit) + " calls is used up";
        return stop("budget", "the budget of " + calls, "the task's budget of " + calls);
    }
    if (tree.live >= kMaxLiveCalls_per_tree) {
        return stop("busy", "kMaxLiveCalls_per_tree calls are open",
                    "too many calls of this task are open; wait for some to end");
    }
    p.budget = tree.debit(p.session());
    return std::nullopt;
}

net::Task<Answer> Core::refuse(HomeState& home, PassagePtr passage, RefusalKind kind) {
    Passage& p = *passage;
    const std::optional<TaskId> suspended =
        home.tree(p.task().root).deny(p.session(), p.verdict.code == kUnavailableCode);
    bool died = false;  // in memory at once; calls that were faster end as any revocation ends them
    identity::TaskPtr lost;  // held: once dead, the directory may forget it
    if (suspended) {
        lost = shared_->directory.task(*suspended);
        died = shared_->directory.end(*suspended, identity::TaskState::kRevoked).has_value();
    }

    evidence::ActorRef by = home.actor(p.call.session);
    evidence::Draft draft = events::call_decided(p, std::move(by));
    auto recording = home.recorder().record(std::move(draft));
    Result<evidence::Receipt> receipt = co_await std::move(recording);
    if (died) {
        auto burying = bury(home, *suspended, std::move(lost), identity::TaskState::kRevoked,
                            events::by_writ(), "too many denials");
        const Status buried = co_await std::move(burying);
        static_cast<void>(buried);  // the task is dead either way
    }
    Refusal refusal =
        receipt
            ? refusal_of(kind, p.verdict)
            : refusal_of(
                  RefusalKind::kUnrecordable,
                  forbid("unrecordable", "the decision could not be recorded",
                         "the gateway cannot record what happens now, so nothing was done", true));
    refusal.call = p.id;
    if (receipt) refusal.receipt = std::move(*receipt);
    co_return Answer(std::move(refusal));
}

// A declared read (overlap.h): the decision is handed to the log, the call may leave meanwhile, and
// its answer is held until settled(). If the log refuses, the call stays counted: it may have left.
void Core::record_meanwhile(HomeState& home, const PassagePtr& passage,
                            evidence::Draft draft) const {
    passage->overlaps = true;
    passage->pending.emplace(home.reactor());
    auto done = [home = home.shared_from_this(), passage,
                 pending = *passage->pending](Result<evidence::Receipt> receipt) {
        if (receipt) {
            passage->receipt = std::move(*receipt);
            pending.set(Status());
            return;
        }
        passage->unrecorded.store(true);
        home->finish(*passage);
        pending.set(fail(ErrorCode::kUnavailable,
                         "the decision could not be recorded: " + receipt.error().detail));
    };
    home.recorder().record(std::move(draft), std::move(done));
}

// What may have changed while the decision became durable: the session, and the policies.
Answer Core::recheck(HomeState& home, const PassagePtr& passage) {
    Passage& p = *passage;
    const auto stop = [&p](Refusal refusal) {
        refusal.call = p.id;
        refusal.receipt = p.receipt;
        return Answer(std::move(refusal));
    };
    const std::string_view dead = death(p.session(), shared_->clock.boot_us());
    if (!dead.empty() || p.closed.load()) {
        const std::string why = dead.empty() ? "cancelled" : std::string(dead);
        home.close(passage, Status_::kBlocked, why);
        const std::string advice = "the task or session is " + why;
        return stop(refusal_of(RefusalKind::kUnauthenticated, forbid(why, advice, advice, false)));
    }
    const EngineAt& now = home.engine();
    if (now.epoch != p.engine.epoch) {
        policy::Verdict verdict = decide_anew(p, now, shared_->clock.now_us(), shared_->patterns);
        const bool same = verdict.obligations == p.verdict.obligations;
        if (verdict.kind != policy::Kind::kPermit || !same) {
            home.close(passage, Status_::kBlocked, "the policies changed: " + verdict.code);
            if (verdict.kind == policy::Kind::kPermit) {
                verdict = forbid("policy_changed", "the obligations changed",
                                 "the policies changed just now; try again", true);
            }
            const bool granted = verdict.granted;
            return stop(refusal_of(granted ? RefusalKind::kForbidden : RefusalKind::kUnknown,
                                   std::move(verdict)));
        }
        p.engine = now;
    }
    return Answer(AdmissionPtr(std::make_unique<OpenCall>(passage, home.shared_from_this())));
}

}  // namespace writ::gate

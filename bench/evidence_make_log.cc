// Makes a log of many plausible events, through the same Recorder and Ledger as the gateway's: what
// the checks, the index and the traces are measured on.
//
//   evidence_make_log DIR EVENTS [CALLS_PER_SESSION]
//
// DIR gets the ledger (DIR/log/acme/gw-1 is the published log) and a vault. Some sessions have
// refused calls, a tool definition and a policy set change on the way. The last session is one of
// 50,000 calls where EVENTS allows it.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/clock.h"
#include "evidence/recorder.h"
#include "ledger/ledger.h"

namespace writ::evidence {
namespace {

constexpr int kWorkers = 512;
constexpr std::uint64_t kLargeSessionCalls = 50'000;

struct Maker {
    Recorder& recorder;
    IdSource& ids;
    std::uint64_t wanted = 0, calls_per_session = 20;
    std::uint64_t made = 0;
    int working = 0;
    net::Reactor& reactor;
};

std::string digest(char c) {
    return "sha256:" + std::string(64, c);
}

Actor agent(std::uint64_t n, const TaskId& task) {
    Actor actor;
    actor.agent = fmt::format("spiffe://acme.example/agent/bot-{}", n % 200);
    actor.agent_instance = task.text().substr(24);
    actor.charter = digest('a');
    actor.on_behalf_of.push_back({"human", fmt::format("ps:{:016x}", n % 5000)});
    actor.credential =
        CredentialRef{"unix-peer", task.text(), 1'795'459'900, 1'795'460'200, "pid:4711@1"};
    return actor;
}

Draft base(std::string type, const Actor& actor, const TaskId& task, const SessionId& session) {
    Draft draft;
    draft.type = std::move(type);
    draft.task = task;
    draft.session = session;
    draft.actor = actor;
    return draft;
}

Draft decision(const Actor& actor, const TaskId& task, const SessionId& session,
               const EventId& started, const CallId& call, const EventId& id, std::uint64_t n) {
    Draft draft = base("call.decided", actor, task, session);
    draft.id = id;
    draft.call = call;
    draft.trace = Trace::start();
    draft.cause.push_back({"requested_by", started, Basis::kObserved});
    const bool forbid = n % 37 == 0;
    auto& data = draft.data;
    data["kind"] = forbid ? "forbid" : "permit";
    data["code"] = forbid ? "forbidden" : "permitted";
    data["reason"] = forbid ? "policy `no-large-transfers` forbids" : "policy `pay-small` permits";
    data["door"] = "mcp";
    data["tool"] = fmt::format("bank__tool_{}", n % 12);
    data["server"] = "bank";
    data["effect"] = "pay";
    data["action"] = fmt::format("bank/tool_{}", n % 12);
    data["resource"] = fmt::format("bank://accounts/DE{:08}", n % 100'000);
    data["domains"].push_back("payments");
    data["sensitivity"] = "confidential";
    data["policy_set"] = digest('b');
    json::Node determining = json::Node::object();
    determining["effect"] = forbid ? "forbid" : "permit";
    determining["id"] = forbid ? "no-large-transfers" : "pay-small";
    data["determining"].push_back(std::move(determining));
    data["obligations"] = json::Node::array();
    data["holds"] = json::Node::array();
    data["errors"] = json::Node::array();
    data["granted"] = true;
    data["latency_us"] = 41;
    data["pin"] = digest('c');
    return draft;
}

net::Task<bool> must(Maker* maker, Draft draft) {
    const auto done = co_await maker->recorder.record(std::move(draft));
    if (!done) fmt::print(stderr, "not recorded: {}\n", done.error().message());
    ++maker->made;
    co_return done.has_value();
}

// One task with one session of `calls` calls.
net::Task<bool> run(Maker* maker, std::uint64_t n, std::uint64_t calls) {
    const auto task = maker->ids.mint<TaskId>();
    const auto session = maker->ids.mint<SessionId>();
    const auto task_event = maker->ids.mint<EventId>(), started = maker->ids.mint<EventId>();
    const Actor actor = agent(n, task);
    Draft first;
    first.type = "task.started";
    first.id = task_event;
    first.task = task;
    Actor person;
    person.op = actor.on_behalf_of.front().sub;
    first.actor = std::move(person);
    first.data["root"] = task.text();
    first.data["depth"] = 0;
    first.data["agent"] = fmt::format("bot-{}", n % 200);
    first.data["subject"] = actor.on_behalf_of.front().sub;
    first.data["purpose"] = fmt::format("pay the invoices of batch {}", n);
    if (!co_await must(maker, std::move(first))) co_return false;
    Draft begun = base("session.started", actor, task, session);
    begun.id = started;
    begun.cause.push_back({"spawned_by", task_event, Basis::kObserved});
    begun.data["binding"] = "unix-peer";
    if (!co_await must(maker, std::move(begun))) co_return false;
    for (std::uint64_t i = 0; i < calls; ++i) {
        const auto call = maker->ids.mint<CallId>();
        const auto id = maker->ids.mint<EventId>();
        Draft decided = decision(actor, task, session, started, call, id, n * 31 + i);
        const bool permit = (n * 31 + i) % 37 != 0;
        if (!co_await must(maker, std::move(decided))) co_return false;
        if (!permit) continue;
        Draft ended = base("call.ended", actor, task, session);
        ended.call = call;
        ended.cause.push_back({"decided_by", id, Basis::kObserved});
        ended.data["status"] = "ok";
        ended.data["agreement"] = "match";
        ended.data["duration_us"] = 81'234;
        ended.data["bytes"] = 2900;
        if (!co_await must(maker, std::move(ended))) co_return false;
    }
    std::string reason = "completed";
    Draft seal;
    seal.task = task;
    seal.actor = actor;
    const auto sealed = co_await maker->recorder.seal(session, std::move(reason), std::move(seal));
    ++maker->made;
    Draft last;
    last.type = "task.ended";
    last.task = task;
    last.cause.push_back({"result_of", task_event, Basis::kObserved});
    last.data["state"] = "ended";
    last.data["reason"] = "done";
    if (!co_await must(maker, std::move(last))) co_return false;
    co_return sealed.has_value();
}

net::Task<void> work(Maker* maker, std::uint64_t n) {
    while (maker->made < maker->wanted) {
        if (!co_await run(maker, n, maker->calls_per_session)) break;
        n += kWorkers;
    }
    if (--maker->working == 0) maker->reactor.stop();
}

net::Task<void> large(Maker* maker) {
    static_cast<void>(co_await run(maker, 1, kLargeSessionCalls));
    maker->reactor.stop();
}

int make(const std::string& dir, std::uint64_t events, std::uint64_t calls) {
    const SystemClock clock;
    IdSource ids(clock);
    net::Reactor reactor;
    ledger::Options options;
    options.dir = dir;
    options.tenant = "acme";
    options.node = "gw-1";
    options.origin = "writ.local/log/acme/gw-1";
    auto key = crypto::Ed25519Key::from_seed(Bytes(32, 9));
    auto ledger = ledger::Ledger::open(std::move(options), std::move(*key), clock);
    if (!ledger) {
        fmt::print(stderr, "{}\n", ledger.error().message());
        return 1;
    }
    auto vault = Vault::open(dir + "/vault", "acme");
    if (!vault) return 1;
    Recorder recorder({"acme", "spiffe://acme.example/writ/gw-1/0", ids.mint<BootId>(),
                       "writ.local/log/acme/gw-1"},
                      reactor, **ledger, **vault, ids, clock);
    Maker maker{recorder, ids, events, calls, 0, kWorkers, reactor};
    const bool has_large = events >= 4 * kLargeSessionCalls;
    if (has_large) maker.wanted -= 2 * kLargeSessionCalls;
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kWorkers; ++i) reactor.spawn(work(&maker, i));
    reactor.run();
    if (has_large) {
        reactor.spawn(large(&maker));
        reactor.run();
    }
    if (auto done = (*ledger)->flush(); !done) return 1;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    fmt::print("{} events in {:.1f} s, {:.0f} a second; log {}/log/acme/gw-1\n", maker.made,
               took.count(), static_cast<double>(maker.made) / took.count(), dir);
    return 0;
}

}  // namespace
}  // namespace writ::evidence

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: evidence_make_log DIR EVENTS [CALLS_PER_SESSION]\n");
        return 2;
    }
    const auto events = std::strtoull(argv[2], nullptr, 10);
    const auto calls = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 20;
    return writ::evidence::make(argv[1], events, calls);
}

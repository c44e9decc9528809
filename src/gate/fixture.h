// A gateway without doors for the gate's tests: real directory, catalog, recorder and vault; a
// ledger whose disk the test holds, releases and breaks; policies as a function.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/temp_dir.h"
#include "gate/gate.h"
#include "json/value.h"

namespace writ::gate::test {

// An in-memory log. A thread acknowledges, as the real committer does; hold() makes it wait, fail()
// breaks the disk.
class TestLedger final : public ledger::Ledger {
  public:
    TestLedger() : thread_([this] { run(); }) {}
    ~TestLedger() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            held_ = false;
        }
        changed_.notify_all();
        thread_.join();
    }
    TestLedger(const TestLedger&) = delete;
    TestLedger& operator=(const TestLedger&) = delete;

    void append(std::string entry, ledger::AppendDone done) override {
        {
            const std::lock_guard lock(mutex_);
            queue_.emplace_back(std::move(entry), std::move(done));
        }
        changed_.notify_all();
    }
    Result<ledger::Appended> append_sync(std::string entry) override {
        append(std::move(entry), [](const Result<ledger::Appended>&) {});
        return ledger::Appended{};
    }
    Status flush() override { return {}; }
    ledger::Health health() const override {
        const std::lock_guard lock(mutex_);
        ledger::Health out;
        out.durable = entries_.size();
        return out;
    }
    std::string vkey() const override { return "test"; }
    Status read(
        std::uint64_t /*from*/,
        const std::function<bool(std::uint64_t, std::string_view)>& /*each*/) const override {
        return {};
    }

    void hold() { set(&TestLedger::held_, true); }
    void release() { set(&TestLedger::held_, false); }
    void fail_from_now() { set(&TestLedger::failing_, true); }
    void repair() { set(&TestLedger::failing_, false); }
    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return queue_.size();
    }
    std::vector<std::string> entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }

  private:
    void set(bool TestLedger::* flag, bool value) {
        {
            const std::lock_guard lock(mutex_);
            this->*flag = value;
        }
        changed_.notify_all();
    }
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [this] { return stopping_ || (!held_ && !queue_.empty()); });
            if (queue_.empty()) return;
            auto [entry, done] = std::move(queue_.front());
            queue_.pop_front();
            Result<ledger::Appended> result = writ::fail(ErrorCode::kUnavailable, "disk full");
            if (!failing_) {
                result = ledger::Appended{.index = entries_.size(), .leaf = {}};
                entries_.push_back(std::move(entry));
            }
            lock.unlock();
            done(std::move(result));
            lock.lock();
        }
    }

    mutable std::mutex mutex_;  // guards all below
    std::condition_variable changed_;
    std::deque<std::pair<std::string, ledger::AppendDone>> queue_;
    std::vector<std::string> entries_;
    bool held_ = false, failing_ = false, stopping_ = false;
    std::thread thread_;
};

inline policy::Verdict permit() {
    policy::Verdict v;
    v.kind = policy::Kind::kPermit;
    v.code = "permitted";
    v.reason = "policy `all`";
    v.granted = true;
    v.determining.push_back({"all", "permit"});
    return v;
}
inline policy::Verdict forbidden(bool granted) {
    policy::Verdict v;
    v.code = granted ? "forbidden" : "not_granted";
    v.reason = granted ? "policy `no`" : "no grant names it";
    v.advice = granted ? "this is against the rules" : "";
    v.granted = granted;
    return v;
}

// Policies as one function; what it does not grant is not visible.
class TestEngine : public policy::Engine {
  public:
    using Rule = std::function<policy::Verdict(const policy::Question&)>;
    explicit TestEngine(Rule rule, std::uint8_t version = 1) : rule_(std::move(rule)) {
        digest_.fill(version);
    }
    policy::Verdict decide(const policy::Question& question) const override {
        return rule_(question);
    }
    bool visible(const identity::Task& /*task*/, const catalog::Tool& tool) const override {
        return tool.name != "secret";
    }
    const Sha256& digest() const override { return digest_; }
    json::Node explain(const policy::Question& /*question*/) const override { return {}; }
    std::size_t policies() const override { return 1; }
    std::shared_ptr<const policy::Engine> with(
        std::shared_ptr<const catalog::Snapshot> /*catalog*/) const override {
        return std::make_shared<TestEngine>(rule_);
    }

  private:
    Rule rule_;
    Sha256 digest_{};
};

// The tools' names say what becomes of a call: read and lookup (permitted), write (forbidden),
// hold, secret (not granted).
inline policy::Verdict by_name(const policy::Question& question) {
    const std::string& tool = question.tool.name;
    if (tool == "write") return forbidden(true);
    if (tool == "secret") return forbidden(false);
    policy::Verdict v = permit();
    if (tool == "hold") {
        v.kind = policy::Kind::kHold;
        v.code = "held";
        v.holds.emplace_back("four eyes");
    }
    return v;
}

// One event of the log, as far as tests look at it.
struct Seen {
    std::string text, type, session, call;
    bool has(std::string_view part) const { return text.find(part) != std::string::npos; }
};

class World {
  public:
    static constexpr std::int64_t kNow = 1'795'000'000'000'000;

    explicit World(std::size_t reactors = 1) {
        auto opened = evidence::Vault::open(dir.path() / "vault", "default");
        if (!opened) ADD_FAILURE() << opened.error().detail;
        vault = std::move(*opened);
        make_catalog();
        directory = std::make_unique<identity::Directory>(
            identity::DirectoryOptions{"test", "http://127.0.0.1:7420",
                                       "http://127.0.0.1:7420/mcp"},
            crypto::Es256Key::generate(),
            std::vector<identity::Agent>{{.name = "helper",
                                          .spiffe_id = "spiffe://test/agent/helper",
                                          .owner = "alice",
                                          .groups = {},
                                          .charter = ""}},
            std::vector<identity::Person>{}, ids, clock);
        std::vector<Home> homes;
        for (std::size_t i = 0; i < reactors; ++i) {
            reactor.push_back(std::make_unique<net::Reactor>());
            recorder.push_back(std::make_unique<evidence::Recorder>(
                evidence::RecorderOptions{"default", "spiffe://test/writ/gw/" + std::to_string(i),
                                          ids.mint<BootId>(), "test/log"},
                *reactor.back(), ledger, *vault, ids, clock));
            homes.push_back({reactor.back().get(), recorder.back().get()});
        }
        gate = Gate::make(homes, *directory, *catalog, std::make_shared<TestEngine>(by_name), ids,
                          clock, [](std::string_view subject) {
                              return subject == "person:alice" ? "ps:of-alice" : "ps:nobody";
                          });
    }
    ~World() {
        ledger.repair();
        ledger.release();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    template <class T>
    T run(net::Task<T> task) {
        return reactor.front()->run_until(std::move(task));
    }
    // Runs the first reactor until `holds`; a minute is taken for never.
    void run_until(std::function<bool()> holds) {
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        run(poll(reactor.front().get(), std::move(holds), give_up));
    }
    // Lets what is queued on the first reactor run.
    void settle() {
        run(poll(
            reactor.front().get(), [n = 0]() mutable { return ++n > 5; },
            std::chrono::steady_clock::time_point::max()));
    }

    identity::TaskSpec spec(std::int64_t calls = 0) const {
        identity::TaskSpec s;
        s.agent = "helper";
        s.subject = "person:alice";
        s.purpose = "tidy up";
        s.prompt = "please tidy up my files";
        s.grants.push_back({.tools = {"files/*"}, .domains = {}, .when = "", .expires_s = 0});
        s.budget.calls = calls;
        s.deadline_s = 600;
        s.depth_max = 2;
        return s;
    }
    evidence::Actor operator_() const {
        evidence::Actor by;
        by.op = "ps:operator";
        return by;
    }
    identity::TaskPtr task(std::int64_t calls = 0, identity::TaskPtr parent = nullptr) {
        identity::TaskSpec asked = spec(calls);
        if (parent) asked.depth_max = parent->spec.depth_max - 1;
        auto started = run(gate->start_task(std::move(asked), operator_(), std::move(parent)));
        if (!started) ADD_FAILURE() << started.error().detail;
        return started.value_or(nullptr);
    }
    identity::SessionPtr session(const identity::TaskPtr& of) {
        auto opened = run(gate->open_session(of, identity::Binding::kUnixPeer, "pid:1@boot"));
        if (!opened) ADD_FAILURE() << opened.error().detail;
        return opened.value_or(nullptr);
    }
    Call call(const identity::SessionPtr& by, std::string tool = "files__read",
              std::string arguments = R"({"path":"/a"})") const {
        Call c;
        c.door = "mcp";
        c.session = by;
        c.tool = std::move(tool);
        c.arguments = std::move(arguments);
        return c;
    }
    Answer admit(Call c) { return run(gate->admit(std::move(c))); }
    // The refusal of a call that must be refused.
    Refusal refuse(Call c) {
        Answer answer = admit(std::move(c));
        if (auto* refusal = std::get_if<Refusal>(&answer)) return std::move(*refusal);
        ADD_FAILURE() << "admitted";
        return {};
    }
    // The admission of a call that must be admitted.
    AdmissionPtr allow(Call c) {
        Answer answer = admit(std::move(c));
        if (auto* admission = std::get_if<AdmissionPtr>(&answer)) return std::move(*admission);
        if (auto* refusal = std::get_if<Refusal>(&answer)) ADD_FAILURE() << refusal->verdict.reason;
        return nullptr;
    }
    void close(AdmissionPtr& admission, Status_ status = Status_::kOk) {
        Outcome outcome{.status = status, .error = "", .output = R"({"ok":true})"};
        auto closed = run(admission->close(std::move(outcome)));
        EXPECT_TRUE(closed) << closed.error().detail;
    }

    std::vector<Seen> events(std::string_view type = {}) const {
        std::vector<Seen> out;
        for (std::string& entry : ledger.entries()) {
            auto document = json::parse(entry);
            if (!document) {
                ADD_FAILURE() << entry;
                continue;
            }
            const json::Value root = document->root();
            Seen seen;
            seen.type = root.string("type").value_or("");
            seen.session = root.string("session").value_or("");
            seen.call = root.string("call").value_or("");
            seen.text = entry;
            if (type.empty() || seen.type == type) out.push_back(std::move(seen));
        }
        return out;
    }
    // Of the only event of that type.
    Seen event(std::string_view type) const {
        std::vector<Seen> found = events(type);
        EXPECT_EQ(found.size(), 1U) << type;
        return found.empty() ? Seen{} : found.front();
    }

    TempDir dir;
    ManualClock clock{kNow};
    IdSource ids{clock};
    std::unique_ptr<evidence::Vault> vault;
    std::vector<std::unique_ptr<net::Reactor>> reactor;
    TestLedger ledger;
    std::unique_ptr<catalog::Catalog> catalog;
    std::unique_ptr<identity::Directory> directory;
    std::vector<std::unique_ptr<evidence::Recorder>> recorder;
    std::unique_ptr<Gate> gate;

    void list_tools(const std::string& description) {
        std::string text = "[";
        for (const std::string name : {"read", "write", "hold", "secret", "lookup"}) {
            if (text.size() > 1) text += ",";
            text += R"({"name":")" + name + R"(","description":")" + description +
                    R"(","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}}})";
        }
        text += "]";
        auto document = json::parse(text);
        auto listed = catalog->update("files", document->root(), clock.boot_us());
        EXPECT_TRUE(listed) << listed.error().detail;
    }

  private:
    void make_catalog() {
        ::writ::catalog::ServerSpec server;
        server.name = "files";
        server.command = {"/bin/true"};
        for (const std::string name : {"read", "write", "hold", "secret", "lookup"}) {
            ::writ::catalog::ToolRule rule;
            rule.tool = name;
            // Only `lookup` may leave before its decision is durable (overlap.h).
            using ::writ::catalog::Effect;
            rule.effect = name == "lookup" ? Effect::kRead : Effect::kWrite;
            rule.resource = "file://{path}";
            server.tools.push_back(rule);
        }
        auto made = ::writ::catalog::Catalog::make({server}, {}, {});
        if (!made) ADD_FAILURE() << made.error().detail;
        catalog = std::move(*made);
        list_tools("first");
    }
    static net::Task<void> poll(net::Reactor* on, std::function<bool()> holds,
                                std::chrono::steady_clock::time_point give_up) {
        while (!holds()) {
            if (std::chrono::steady_clock::now() > give_up) {
                ADD_FAILURE() << "waited for a minute";
                co_return;
            }
            co_await on->sleep(net::Millis(1));
        }
    }
};

// Awaits an answer beside what else the test does.
inline net::Task<void> answer_into(Gate* gate, Call call, std::optional<Answer>* out) {
    auto admitting = gate->admit(std::move(call));
    Answer answer = co_await std::move(admitting);
    out->emplace(std::move(answer));
}

inline net::Task<void> chunk_into(Admission* admission, std::string bytes,
                                  std::optional<Result<std::string>>* out) {
    auto passing = admission->chunk(std::move(bytes));
    out->emplace(co_await std::move(passing));
}
inline net::Task<void> close_into(AdmissionPtr admission) {
    Outcome outcome{.status = Status_::kOk, .error = "", .output = "{}"};
    auto closing = admission->close(std::move(outcome));
    const auto closed = co_await std::move(closing);
    EXPECT_TRUE(closed);
}

}  // namespace writ::gate::test

// A gate for this room's tests: it answers as scripted and writes down, in one journal, what the
// door asked of it and in which order.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "gate/gate.h"
#include "net/http.h"

namespace writ::mcp::testing_gate {

// `depart`, `chunk`, `close ok`, `send 200` …
using Journal = std::vector<std::string>;

inline const char* text(gate::Status_ status) {
    static constexpr const char* kTexts[] = {"ok",        "tool_error", "protocol_error", "timeout",
                                             "cancelled", "blocked",    "unknown"};
    return kTexts[static_cast<std::size_t>(status)];
}

// What the next admission does.
struct Script {
    std::string server = "fs", tool = "a";
    std::function<Status()> depart = [] { return Status{}; };
    std::function<Result<std::string>(std::string)> chunk = [](std::string bytes) {
        return Result<std::string>(std::move(bytes));
    };
    std::function<Status()> close = [] { return Status{}; };
};

class FakeAdmission final : public gate::Admission {
  public:
    FakeAdmission(gate::Call call, Script script, CallId id, Journal& journal,
                  std::vector<gate::Outcome>& outcomes, std::vector<gate::Inward>& inward)
        : call_(std::move(call)),
          script_(std::move(script)),
          id_(id),
          journal_(journal),
          outcomes_(outcomes),
          inward_(inward) {
        tool_.server = script_.server;
        tool_.name = script_.tool;
        receipt_.event = EventId(id);
        receipt_.origin = "test.example/log";
        receipt_.index = 7;
    }
    ~FakeAdmission() override {
        if (!closed_) journal_.emplace_back("never closed");
    }
    const CallId& call() const override { return id_; }
    const catalog::Tool& tool() const override { return tool_; }
    const identity::Session& session() const override { return *call_.session; }
    const std::string& arguments() const override { return call_.arguments; }
    const evidence::Receipt& receipt() const override { return receipt_; }
    Status depart() override {
        journal_.emplace_back("depart");
        return script_.depart();
    }
    net::Task<std::variant<gate::Refusal, std::monostate>> inward(gate::Inward asked) override {
        journal_.push_back("inward " + asked.method);
        inward_.push_back(std::move(asked));
        co_return gate::Refusal{};
    }
    net::Task<Result<std::string>> chunk(std::string bytes) override {
        journal_.emplace_back("chunk");
        co_return script_.chunk(std::move(bytes));
    }
    net::Task<Status> close(gate::Outcome outcome) override {
        closed_ = true;
        journal_.push_back(std::string("close ") + text(outcome.status));
        outcomes_.push_back(std::move(outcome));
        co_return script_.close();
    }

  private:
    gate::Call call_;
    Script script_;
    CallId id_;
    Journal& journal_;
    std::vector<gate::Outcome>& outcomes_;
    std::vector<gate::Inward>& inward_;
    catalog::Tool tool_;
    evidence::Receipt receipt_;
    bool closed_ = false;
};

class FakeGate final : public gate::Gate {
  public:
    explicit FakeGate(net::Reactor& reactor) : reactor_(reactor) {}

    Script script;                        // of admissions
    std::optional<gate::Refusal> refuse;  // instead of an admission
    bool park = false;
    std::function<void()> meanwhile;  // happens while a call is decided on
    std::vector<std::shared_ptr<const catalog::Tool>> tools;
    std::set<std::string> coming;              // servers that are there without tools yet
    std::vector<gate::Call> calls;             // as they came (arguments and trace)
    std::vector<gate::Inward> inward;          // likewise
    std::vector<identity::SessionPtr> turned;  // away
    std::vector<gate::Outcome> outcomes;
    Journal journal;
    CallId id = *CallId::parse("01a209c1-6900-7043-aa71-8774c572bd8a");

    net::Task<gate::Answer> admit(gate::Call call) override {
        journal.emplace_back("admit");
        calls.push_back(call);
        if (meanwhile) meanwhile();
        if (refuse) co_return *refuse;
        if (park) co_return gate::Parked{id};
        co_return gate::AdmissionPtr(std::make_unique<FakeAdmission>(std::move(call), script, id,
                                                                     journal, outcomes, inward));
    }
    net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> visible(
        identity::SessionPtr) override {
        co_return tools;
    }
    net::Task<bool> serves(identity::SessionPtr, std::string server) override {
        for (const auto& tool : tools)
            if (tool->server == server) co_return true;
        co_return coming.contains(server);
    }
    void turned_away(const identity::SessionPtr& session) override { turned.push_back(session); }
    gate::Home home(const TaskId&) const override { return {&reactor_, nullptr}; }

    // The door uses none of these.
    void set_engine(std::shared_ptr<const policy::Engine>) override {}
    std::shared_ptr<const policy::Engine> engine() const override { return engine_now; }
    std::shared_ptr<const policy::Engine> engine_now;  // another one: what is visible may differ
    net::Task<gate::Spent> spent(TaskId) override { co_return gate::Spent{}; }
    net::Task<void> restore(TaskId, gate::Spent) override { co_return; }
    net::Task<Status> sweep() override { co_return Status{}; }
    net::Task<Result<identity::TaskPtr>> start_task(identity::TaskSpec, evidence::Actor,
                                                    identity::TaskPtr) override {
        co_return fail(Error{});
    }
    net::Task<Status> end_task(TaskId, identity::TaskState, evidence::Actor, std::string) override {
        co_return Status{};
    }
    net::Task<Result<identity::SessionPtr>> open_session(identity::TaskPtr, identity::Binding,
                                                         std::string) override {
        co_return fail(Error{});
    }
    net::Task<Status> end_session(identity::SessionPtr, std::string) override {
        co_return Status{};
    }

  private:
    net::Reactor& reactor_;
};

// Keeps the one answer of a handler.
class FakeResponder final : public net::Responder {
  public:
    explicit FakeResponder(Journal& journal) : journal_(journal) {}
    net::HttpResponse response;
    int sent = 0;
    bool gone = false;

    net::Task<Status> send(net::HttpResponse r) override {
        ++sent;
        journal_.push_back("send " + std::to_string(r.status));
        response = std::move(r);
        if (gone) co_return fail(ErrorCode::kCancelled, "the peer is gone");
        co_return Status{};
    }
    std::string streamed;
    std::function<void()> on_chunk;  // after each
    net::Task<Status> begin(int status, net::Headers headers) override {
        ++sent;
        journal_.push_back("begin " + std::to_string(status));
        response.status = status;
        response.headers = std::move(headers);
        if (gone) co_return fail(ErrorCode::kCancelled, "the peer is gone");
        co_return Status{};
    }
    std::optional<net::Promise<bool>> reads;  // each chunk waits for it
    net::Task<Status> chunk(std::string bytes) override {
        journal_.emplace_back("event");
        if (reads) {
            const auto until = *reads;
            (void)co_await until.wait();
        }
        if (gone) co_return fail(ErrorCode::kCancelled, "the peer is gone");
        streamed += bytes;
        if (on_chunk) on_chunk();
        co_return Status{};
    }
    net::Task<Status> end() override {
        journal_.emplace_back("end");
        co_return Status{};
    }
    void on_gone(std::function<void()> then) override { then_ = std::move(then); }
    void leave() {
        gone = true;
        if (then_) then_();
    }
    bool peer_gone() const override { return gone; }

  private:
    Journal& journal_;
    std::function<void()> then_;
};

}  // namespace writ::mcp::testing_gate

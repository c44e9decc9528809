// What the desk's tests share: a desk over a real directory and a gate that does only what a test
// tells it, asked as a person on the operators' socket would ask.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "desks/admin/desk.h"
#include "evidence/testing.h"
#include "json/value.h"

namespace writ::admin::testing {

class FakeGate final : public gate::Gate {
  public:
    FakeGate(identity::Directory& directory, IdSource& ids) : directory_(directory), ids_(ids) {}

    std::function<void()> on_end;  // after a task has died, before that is answered

    net::Task<gate::Answer> admit(gate::Call) override { co_return gate::Refusal{}; }
    net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> visible(
        identity::SessionPtr) override {
        co_return std::vector<std::shared_ptr<const catalog::Tool>>{};
    }
    net::Task<bool> serves(identity::SessionPtr, std::string) override { co_return false; }
    void turned_away(const identity::SessionPtr&) override {}
    void set_engine(std::shared_ptr<const policy::Engine>) override {}
    std::shared_ptr<const policy::Engine> engine() const override { return nullptr; }
    gate::Home home(const TaskId&) const override { return {}; }
    net::Task<gate::Spent> spent(TaskId) override { co_return gate::Spent{}; }
    net::Task<void> restore(TaskId, gate::Spent) override { co_return; }
    net::Task<Status> sweep() override { co_return Status{}; }
    net::Task<Result<identity::TaskPtr>> start_task(identity::TaskSpec spec, evidence::Actor,
                                                    identity::TaskPtr parent) override {
        co_return directory_.start(std::move(spec), ids_.mint<EventId>(), std::move(parent));
    }
    net::Task<Status> end_task(TaskId id, identity::TaskState how, evidence::Actor,
                               std::string) override {
        const auto died = directory_.end(id, how);
        if (!died) co_return fail(died.error());
        if (on_end) on_end();
        co_return Status{};
    }
    net::Task<Result<identity::SessionPtr>> open_session(identity::TaskPtr, identity::Binding,
                                                         std::string) override {
        co_return fail(ErrorCode::kUnsupported, "not here");
    }
    net::Task<Status> end_session(identity::SessionPtr, std::string) override {
        co_return Status{};
    }

  private:
    identity::Directory& directory_;
    IdSource& ids_;
};

// Keeps the one answer of a handler.
class Answered final : public net::Responder {
  public:
    net::HttpResponse response;
    net::Task<Status> send(net::HttpResponse r) override {
        response = std::move(r);
        co_return Status{};
    }
    net::Task<Status> begin(int, net::Headers) override { co_return fail(Error{}); }
    net::Task<Status> chunk(std::string) override { co_return fail(Error{}); }
    net::Task<Status> end() override { co_return fail(Error{}); }
    bool peer_gone() const override { return false; }
};

// uid 1000 is alice, who may do everything.
struct World {
    identity::TaskPtr start(identity::TaskSpec spec) {
        auto task = directory.start(std::move(spec), rig.ids.mint<EventId>());
        EXPECT_TRUE(task) << task.error().message();
        return task ? *task : nullptr;
    }
    static identity::TaskSpec spec() {
        identity::TaskSpec out;
        out.agent = "bot";
        out.subject = "person:alice";
        out.purpose = "test";
        out.prompt = "please";
        out.grants = {{{"fs/*"}, {}, "", 0}};
        return out;
    }
    net::HttpResponse ask(std::string method, std::string path, std::string body = {}) {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = "/api/v1/" + path;
        request.body = std::move(body);
        request.peer.is_unix = true;
        request.peer.uid = 1000;
        request.peer.pid = ::getpid();
        Answered answered;
        const net::HttpHandler handler = desk.handler();
        rig.reactor.run_until(handler(std::move(request), answered));
        return std::move(answered.response);
    }

    evidence::testing::Rig rig;
    identity::Directory directory{
        {"example.org", "http://127.0.0.1:7420", "http://127.0.0.1:7420/mcp"},
        crypto::Es256Key::generate(),
        {{"bot", "", "alice", {}, ""}},
        {{"alice", 1000, {identity::kRoles.begin(), identity::kRoles.end()}}},
        rig.ids,
        rig.clock};
    FakeGate gate{directory, rig.ids};
    std::unique_ptr<catalog::Catalog> catalog = std::move(*catalog::Catalog::make({}, {}, {}));
    std::unique_ptr<store::Store> store =
        std::move(*store::open_sqlite(rig.dir.path() / "state.sqlite"));
    Result<bool> inside = false;  // what is said of every caller
    Desk desk{parts()};

  private:
    static net::Task<Result<bool>> answer(Result<bool> inside) { co_return inside; }
    Parts parts() {
        return {gate,
                directory,
                *catalog,
                rig.ledger,
                *store,
                *rig.recorder,
                rig.reactor,
                rig.clock,
                "acme",
                false,
                [this](net::Peer) { return answer(inside); },
                [](const identity::Person& person) { return "ps:" + person.login; },
                [] { return json::Node::object(); },
                [] {},
                {},
                {},
                {}};
    }
};

}  // namespace writ::admin::testing

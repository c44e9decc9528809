// A door over a scripted gate and fake tool servers, asked in process: what the tests of
// the door share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "doors/mcp/door.h"
#include "doors/mcp/test_gate.h"
#include "doors/mcp/test_peer.h"

namespace writ::mcp {

class DoorTest : public testing::Test {
  protected:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    void SetUp() override { make("echo"); }
    void make(const std::string& mode, DoorOptions options = {}) {
        make(testing_peer::fake(folder_, "fs", mode), std::move(options));
    }
    void make(catalog::ServerSpec server, DoorOptions options = {}) {
        if (upstreams_) reactor_.run_until(upstreams_->close());
        upstreams_ = std::make_unique<Upstreams>(
            std::vector<net::Reactor*>{&reactor_},
            std::vector<catalog::ServerSpec>{std::move(server)},
            [](const std::string&, const json::Value&) { return Status{}; });
        options.public_url = "http://127.0.0.1:7420";
        handler_ = {};
        door_ = std::make_unique<Door>(gate_, *upstreams_, clock_, std::move(options));
        session_ = new_session();
        handler_ = door_->for_session(session_, "/secret", 7420);
        id_.clear();
    }
    void TearDown() override {
        handler_ = {};
        reactor_.run_until(upstreams_->close());
    }

    identity::SessionPtr new_session() {
        auto task = std::make_shared<identity::Task>();
        task->id = task->root = ids_.mint<TaskId>();
        task->deadline_us = clock_.now_us() + 3'600'000'000;
        task->deadline_boot_us = clock_.boot_us() + 3'600'000'000;
        auto session = std::make_shared<identity::Session>();
        session->id = ids_.mint<SessionId>();
        session->task = task;
        session->expires_us = task->deadline_us;
        session->expires_boot_us = task->deadline_boot_us;
        return session;
    }

    // One request with `fields` over the usual ones; an empty value leaves that field out.
    net::HttpResponse ask(const net::HttpHandler& handler, std::string method, std::string target,
                          std::string body, const Fields& fields = {}) {
        Fields all = {{"Host", "127.0.0.1:7420"},
                      {"Content-Type", "application/json"},
                      {"Accept", "application/json, text/event-stream"},
                      {"MCP-Session-Id", id_}};
        for (const auto& [name, value] : fields) {
            std::erase_if(all, [&](const auto& field) { return field.first == name; });
            all.emplace_back(name, value);
        }
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        for (auto& [name, value] : all)
            if (!value.empty()) request.headers.add(name, value);
        testing_gate::FakeResponder responder(gate_.journal);
        responder.gone = peer_gone_;
        reactor_.run_until(handler(std::move(request), responder));
        EXPECT_EQ(responder.sent, 1);
        streamed_ = responder.streamed;
        return responder.response;
    }
    net::HttpResponse post(std::string body, const Fields& fields = {}) {
        return ask(handler_, "POST", "/secret", std::move(body), fields);
    }
    static std::string initialize(const std::string& version = "2025-11-25") {
        return R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" +
               version +
               R"(","capabilities":{"sampling":{}},"clientInfo":{"name":"c","version":"3"}}})";
    }
    // Shakes hands; later requests carry the session id.
    void open() {
        const auto response = post(initialize());
        ASSERT_EQ(response.status, 200);
        id_ = std::string(response.headers.get("mcp-session-id").value_or(""));
        ASSERT_FALSE(id_.empty());
    }
    net::HttpResponse call(std::string params) {
        return post(R"({"jsonrpc":"2.0","id":"c-1","method":"tools/call","params":)" +
                    std::move(params) + "}");
    }
    // Runs the loop for `time`, so that what was posted and spawned goes on.
    void run_for(net::Millis time) { reactor_.run_until(reactor_.sleep(time)); }

    // A request that goes on beside the test.
    struct Beside {
        explicit Beside(testing_gate::Journal& journal) : responder(journal) {}
        testing_gate::FakeResponder responder;
        bool over = false;
        static net::Task<void> go(std::shared_ptr<Beside> self, net::Task<void> task) {
            co_await std::move(task);
            self->over = true;
        }
    };
    std::shared_ptr<Beside> begin(std::string method, std::string body, const Fields& fields = {}) {
        auto beside = std::make_shared<Beside>(gate_.journal);
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = "/secret";
        request.body = std::move(body);
        request.headers.add("Host", "127.0.0.1:7420");
        request.headers.add("Content-Type", "application/json");
        request.headers.add("MCP-Session-Id", id_);
        if (fields.empty()) request.headers.add("Accept", "application/json, text/event-stream");
        for (const auto& [name, value] : fields) request.headers.add(name, value);
        reactor_.spawn(Beside::go(beside, handler_(std::move(request), beside->responder)));
        return beside;
    }
    template <class F>
    bool eventually(F condition) {
        for (int i = 0; i < 200; ++i) {
            if (condition()) return true;
            run_for(net::Millis(10));
        }
        return false;
    }
    std::string received() const { return folder_.read("fs.log"); }
    void end_task(identity::TaskState how) { session_->task->state = how; }

    TempDir folder_;
    ManualClock clock_{1'700'000'000'000'000};
    IdSource ids_{clock_};
    net::Reactor reactor_;
    testing_gate::FakeGate gate_{reactor_};
    std::unique_ptr<Upstreams> upstreams_;
    std::unique_ptr<Door> door_;
    identity::SessionPtr session_;
    net::HttpHandler handler_;
    std::string id_;
    bool peer_gone_ = false;
    std::string streamed_;  // the last answer's body, if it was a stream
};

}  // namespace writ::mcp

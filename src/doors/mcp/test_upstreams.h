// The tool servers of one reactor for tests: fakes over stdio and HTTP, and what they listed.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "doors/mcp/fake_http_server.h"
#include "doors/mcp/test_peer.h"
#include "doors/mcp/upstreams.h"

namespace writ::mcp {

using testing_peer::count;
using testing_peer::eventually;
using testing_peer::fake;

inline Outbound outbound(std::string arguments = "{}") {
    return {"a", std::move(arguments), net::Millis(20'000), nullptr, nullptr};
}

class UpstreamsTest : public testing::Test {
  protected:
    void make(std::vector<catalog::ServerSpec> servers, UpstreamsOptions options = {}) {
        if (options.restart_backoff == UpstreamsOptions{}.restart_backoff)
            options.restart_backoff = net::Millis(1);
        options.relist_interval = net::Millis(50);
        upstreams_ = std::make_unique<Upstreams>(
            std::vector<net::Reactor*>{&reactor_}, std::move(servers),
            [this](const std::string& server, const json::Value& tools) {
                listed_.push_back(server + " " + std::string(tools.raw()));
                return listed_status_;
            },
            std::move(options));
    }
    Result<Reply> call(const std::string& server, const TaskId& task,
                       std::string arguments = "{}") {
        return reactor_.run_until(
            upstreams_->call({server, task, &reactor_}, outbound(std::move(arguments))));
    }
    bool wait(std::function<bool()> ready) {
        return reactor_.run_until(eventually(&reactor_, std::move(ready)));
    }
    // Stays until the reactor goes: its handlers may still sleep there.
    testing_peer::FakeHttpServer& serve(const std::string& mode) {
        webs_.push_back(std::make_unique<testing_peer::FakeHttpServer>(reactor_, mode));
        return *webs_.back();
    }
    void TearDown() override {
        if (upstreams_) reactor_.run_until(upstreams_->close());
        EXPECT_TRUE(wait([this] { return !upstreams_ || upstreams_->instances() == 0; }));
    }
    std::size_t starts(const std::string& server) {
        return count(folder_.read(server + ".log"), R"("method":"initialize")");
    }

    TempDir folder_;
    SystemClock clock_;
    IdSource ids_{clock_};
    net::Reactor reactor_;
    std::vector<std::unique_ptr<testing_peer::FakeHttpServer>> webs_;
    std::vector<std::string> listed_;
    Status listed_status_;
    std::unique_ptr<Upstreams> upstreams_;
};

}  // namespace writ::mcp

// A directory with two agents and a clock that tests move. For this room's tests only.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "identity/directory.h"

namespace writ::identity::testing {

inline constexpr std::int64_t kStart_us = 1'790'000'000'000'000;

inline TaskSpec spec_of(std::vector<std::string> tools = {"fs/*"},
                        std::vector<std::string> domains = {}) {
    TaskSpec spec;
    spec.agent = "planner";
    spec.subject = "person:alice";
    spec.purpose = "fix the build";
    spec.prompt = "please fix the build, the password is hunter2";
    spec.grants = {{std::move(tools), std::move(domains), "", 0}};
    spec.depth_max = 3;
    return spec;
}

// The same authority one level down, for the other agent.
inline TaskSpec child_of(const TaskPtr& parent) {
    TaskSpec spec = parent->spec;
    spec.agent = "coder";
    spec.depth_max = parent->spec.depth_max - 1;
    spec.deadline_s = 0;
    return spec;
}

struct World {
    ManualClock clock{kStart_us};
    IdSource ids{clock};
    crypto::Es256Key key = crypto::Es256Key::generate();
    DirectoryOptions options{"example.org", "http://127.0.0.1:7420", "http://127.0.0.1:7420/mcp"};
    Directory directory{options,
                        key,
                        {{"planner", "", "alice", {"staff"}, ""}, {"coder", "", "bob", {}, ""}},
                        {{"alice", 1000, {Role::kLauncher}}, {"bob", std::nullopt, {}}},
                        ids,
                        clock};

    TaskPtr start(TaskSpec spec = spec_of(), TaskPtr parent = nullptr) {
        auto task = directory.start(std::move(spec), ids.mint<EventId>(), std::move(parent));
        EXPECT_TRUE(task) << task.error().message();
        return task ? *task : nullptr;
    }
    SessionPtr open(const TaskPtr& task, Binding binding = Binding::kBearer) {
        auto session = directory.open(task, binding, "test", ids.mint<EventId>());
        EXPECT_TRUE(session) << session.error().message();
        return session ? *session : nullptr;
    }
    bool live(const TaskPtr& task) const { return task->live(clock.boot_us()); }
    bool live(const SessionPtr& session) const { return session->live(clock.boot_us()); }
    void advance_s(std::int64_t seconds) { clock.advance_us(seconds * kSecond_us); }
};

}  // namespace writ::identity::testing

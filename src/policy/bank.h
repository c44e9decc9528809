// What the policy tests decide about: an agent, a tool server `bank` and a task whose grants a test
// chooses.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace writ::policy::test {

inline constexpr std::int64_t kNow_us = 1'795'460'000'000'000;
inline constexpr const char* kAll = "permit (principal, action, resource);";

class Bank : public ::testing::Test {
  protected:
    // `tools`: what the server lists, of which `pay` pays into an `account/{to}` and `balance`
    // reads.
    explicit Bank(std::string_view tools, std::vector<catalog::DomainRule> domains = {}) {
        catalog::ServerSpec server;
        server.name = "bank";
        server.command = {"bank"};
        server.tools = {{"pay", catalog::Effect::kPay, "account/{to}", {}, {}},
                        {"balance", catalog::Effect::kRead, "", {}, {}}};
        catalog_ = std::move(*catalog::Catalog::make({server}, std::move(domains), {}));
        const auto listed = json::parse(tools);
        EXPECT_TRUE(catalog_->update("bank", listed->root()));
        auto agent = std::make_shared<identity::Agent>();
        agent->name = "bot";
        agent->spiffe_id = "spiffe://test/agent/bot";
        agent->groups = {"assistants"};
        agent_ = agent;
        grant("", {"bank/*"});
    }

    void grant(std::string when, std::vector<std::string> tools,
               std::vector<std::string> domains = {}, std::int64_t expires_s = 0) {
        auto task = std::make_shared<identity::Task>();
        task->agent = agent_;
        task->spec.subject = "person:alice";
        task->spec.purpose = "pay the rent";
        task->spec.grants = {{std::move(tools), std::move(domains), std::move(when), expires_s}};
        task_ = task;
    }

    // A child of the present task.
    void child(std::string when, std::vector<std::string> tools) {
        auto parent = task_;
        grant(std::move(when), std::move(tools));
        auto task = std::make_shared<identity::Task>();
        task->agent = agent_;
        task->spec = task_->spec;
        task->parent_task = parent;
        task->depth = 1;
        task_ = task;
    }

    std::unique_ptr<catalog::Catalog> catalog_;
    std::shared_ptr<const identity::Agent> agent_;
    std::shared_ptr<const identity::Task> task_;
};

}  // namespace writ::policy::test

// The promise of Scratch: after the first decisions nothing is allocated. The count is this
// program's operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <thread>

#include "cedar/test_world.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRIT_SANITIZED 1
#endif
#endif

#ifndef WRIT_SANITIZED
namespace {
thread_local std::size_t allocations = 0;
}
void* operator new(std::size_t bytes) {
    ++allocations;
    if (void* out = std::malloc(bytes == 0 ? 1 : bytes)) return out;
    std::abort();
}
void operator delete(void* at) noexcept {
    std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
    std::free(at);
}

namespace writ::cedar {
namespace {

// Sets and records made of what the request holds, tags, patterns, ip addresses made at run time.
constexpr std::string_view kPolicies = R"(
permit(principal, action, resource) when { context.c <= 1 && principal.n == 1 };
permit(principal in G::"top", action, resource)
  when { [principal, resource].contains(principal) && {a: context.c, b: [context.c]} has a };
permit(principal is User in G::"g", action in [Action::"x", Action::"y"], resource)
  when { principal.hasTag("t") && principal.getTag("t") like "*v"
    && principal in [G::"top", resource] };
)";

TEST(Scratch, NothingIsAllocatedAfterTheFirstDecisions) {
    std::string text(kPolicies);
    for (int i = 0; i < 100; ++i)
        text += "permit(principal == User::\"b" + std::to_string(i) + "\", action, resource);";
    text +=
        "permit(principal, action, resource) when { [context.set, [3, context.c]]"
        ".containsAny([[1, 2]]) && ip(context.ip).isLoopback() };";
    const auto policies = PolicySet::parse(text).value();
    const Entities store = test::world();
    Request request = test::request();
    request.context = test::from_json(R"({"c": 1, "set": [1, 2], "ip": "127.0.0.1"})");
    Scratch scratch;
    for (int i = 0; i < 3; ++i) (void)authorize(request, policies, store, scratch);
    const std::size_t before = allocations;
    const Answer answer = authorize(request, policies, store, scratch);
    EXPECT_EQ(allocations, before);
    EXPECT_EQ(answer.decision, Decision::kAllow);
    EXPECT_EQ(answer.reason.size(), 4u);
    EXPECT_TRUE(answer.errors.empty());
}

}  // namespace
}  // namespace writ::cedar
#endif

namespace writ::cedar {
namespace {

TEST(Scratch, AnswersAsAuthorizeWithoutItAndForgetsTheLastRequest) {
    const auto policies = PolicySet::parse(
                              "permit(principal, action, resource) when { context.c == 1 };"
                              "forbid(principal, action, resource) when { context.none };")
                              .value();
    const Entities store = test::world();
    Scratch scratch;
    Request request = test::request();
    const Answer first = authorize(request, policies, store, scratch);
    EXPECT_EQ(first.decision, Decision::kAllow);
    ASSERT_EQ(first.errors.size(), 1u);
    EXPECT_EQ(first.errors[0].policy, "policy1");
    EXPECT_EQ(first.errors[0].message, "record does not have the attribute `none`");
    request.context = test::from_json(R"({"c": 2, "none": false})");
    const Answer second = authorize(request, policies, store, scratch);
    EXPECT_EQ(second.decision, Decision::kDeny);
    EXPECT_TRUE(second.reason.empty());
    EXPECT_TRUE(second.errors.empty());
}

TEST(Snapshots, ThreadsDecideOverOneSetAndStoreAtOnce) {
    std::string text;
    for (int i = 0; i < 200; ++i)
        text += "permit(principal in G::\"top\", action, resource) when { context.c == 1 };";
    const auto policies = PolicySet::parse(text).value();
    const Entities store = test::world();
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            Scratch scratch;
            const Request request = test::request();
            for (int i = 0; i < 50; ++i)
                EXPECT_EQ(authorize(request, policies, store, scratch).reason.size(), 200u);
        });
}

}  // namespace
}  // namespace writ::cedar

// Authority only narrows (docs/architecture.md, rule 4): what is refused case by case, and over
// random chains that whatever a child may do its parent may do.
#include "identity/narrowing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "base/clock.h"
#include "base/limits.h"
#include "identity/limits.h"

namespace writ::identity {
namespace {

using ::testing::HasSubstr;

TaskSpec spec_with(std::vector<std::string> tools, std::vector<std::string> domains = {}) {
    TaskSpec spec;
    spec.agent = "coder";
    spec.subject = "person:alice";
    spec.grants = {{std::move(tools), std::move(domains), "", 0}};
    return spec;
}

std::unique_ptr<Task> parent_of(TaskSpec spec, std::int64_t deadline_s = 100) {
    auto task = std::make_unique<Task>();
    task->spec = std::move(spec);
    task->spec.depth_max = 3;
    task->deadline_us = deadline_s * kSecond_us;
    return task;
}

std::string verdict(const TaskSpec& child, const Task& parent, std::int64_t deadline_s = 100) {
    const auto ok = check_narrowing(child, deadline_s * kSecond_us, parent);
    if (ok) return "within";
    EXPECT_EQ(ok.error().code, ErrorCode::kForbidden);
    return ok.error().detail;
}

TEST(ToolPattern, SyntaxIsServerSlashToolOrStar) {
    for (const char* good : {"fs/read", "fs/*", "a/A.b-c_9", "0x/y"})
        EXPECT_TRUE(is_tool_pattern(good)) << good;
    for (const char* bad : {"", "/", "fs", "fs/", "/read", "*", "*/*", "*/read", "fs/re*", "fs/**",
                            "Fs/read", "-fs/read", "fs/read/x", "fs /read", "fs/r\xc3\xa9",
                            "f\xd1\x95/read", "fs/read\n", "a_b/c"})
        EXPECT_FALSE(is_tool_pattern(bad)) << bad;
    EXPECT_FALSE(is_tool_pattern(std::string(32, 'a') + "/t"));
    EXPECT_FALSE(is_tool_pattern("a/" + std::string(101, 't')));
    EXPECT_FALSE(is_tool_pattern(std::string_view("fs/re\0ad", 8)));
}

TEST(Narrowing, ToolsMustBeNamedByOneGrantOfTheParent) {
    const auto parent = parent_of(spec_with({"fs/read", "git/*"}));
    EXPECT_EQ(verdict(spec_with({"fs/read"}), *parent), "within");
    EXPECT_EQ(verdict(spec_with({"git/log", "git/*"}), *parent), "within");
    EXPECT_THAT(verdict(spec_with({"fs/*"}), *parent), HasSubstr("`grants[0]`: tool `fs/*`"));
    EXPECT_THAT(verdict(spec_with({"gi/log"}), *parent), HasSubstr("tool `gi/log`"));
    EXPECT_THAT(verdict(spec_with({"fs/read", "mail/send"}), *parent), HasSubstr("`mail/send`"));
}

TEST(Narrowing, ToolsOfTwoGrantsAreNotPooled) {
    auto wide = spec_with({"fs/read"}, {"work"});
    wide.grants.push_back({{"fs/write"}, {"scratch"}, "", 0});
    const auto parent = parent_of(wide);
    EXPECT_THAT(verdict(spec_with({"fs/read", "fs/write"}, {"work"}), *parent),
                HasSubstr("wider than its parent at depth 0"));
    EXPECT_THAT(verdict(spec_with({"fs/write"}, {"work"}), *parent), HasSubstr("domain `work`"));
}

TEST(Narrowing, NoDomainsMeansAllAndIsWiderThanSome) {
    const auto some = parent_of(spec_with({"fs/*"}, {"work", "public"}));
    EXPECT_EQ(verdict(spec_with({"fs/read"}, {"work"}), *some), "within");
    EXPECT_THAT(verdict(spec_with({"fs/read"}), *some), HasSubstr("it would reach all"));
    EXPECT_THAT(verdict(spec_with({"fs/read"}, {"work", "hr"}), *some), HasSubstr("domain `hr`"));
    const auto any = parent_of(spec_with({"fs/*"}));
    EXPECT_EQ(verdict(spec_with({"fs/read"}, {"hr"}), *any), "within");
    EXPECT_EQ(verdict(spec_with({"fs/read"}), *any), "within");
}

TEST(Narrowing, AGrantExpiresNoLaterThanItsParentsGrant) {
    auto wide = spec_with({"fs/*"});
    wide.grants[0].expires_s = 50;
    const auto parent = parent_of(wide);
    auto child = spec_with({"fs/read"});
    child.grants[0].expires_s = 50;
    EXPECT_EQ(verdict(child, *parent), "within");
    child.grants[0].expires_s = 51;
    EXPECT_THAT(verdict(child, *parent), HasSubstr("expires at 51, later than 50"));
    child.grants[0].expires_s = 0;  // with the task, which lives until 100
    EXPECT_THAT(verdict(child, *parent), HasSubstr("later than 50"));
    EXPECT_EQ(verdict(child, *parent, 50), "within");
}

TEST(Narrowing, TheTaskEndsNoLaterThanItsParent) {
    const auto parent = parent_of(spec_with({"fs/*"}));
    EXPECT_THAT(verdict(spec_with({"fs/*"}), *parent, 101), HasSubstr("`deadline_s` ends after"));
}

TEST(Narrowing, ABoundedBudgetStaysBounded) {
    auto wide = spec_with({"fs/*"});
    wide.budget.calls = 10;
    const auto parent = parent_of(wide);
    auto child = spec_with({"fs/*"});
    EXPECT_THAT(verdict(child, *parent), HasSubstr("`budget.calls` must be from 1 to 10"));
    child.budget.calls = 11;
    EXPECT_THAT(verdict(child, *parent), HasSubstr("`budget.calls`"));
    child.budget.calls = 10;
    EXPECT_EQ(verdict(child, *parent), "within");
}

TEST(Narrowing, DepthNeverGrowsAndEndsAtZero) {
    const auto parent = parent_of(spec_with({"fs/*"}));
    auto child = spec_with({"fs/*"});
    child.depth_max = 2;
    EXPECT_EQ(verdict(child, *parent), "within");
    child.depth_max = 3;
    EXPECT_THAT(verdict(child, *parent), HasSubstr("`depth_max` may be at most 2"));
    child.depth_max = 0;
    parent->spec.depth_max = 0;
    EXPECT_THAT(verdict(child, *parent), HasSubstr("may not have sub-tasks"));
    parent->spec.depth_max = 15;
    parent->depth = static_cast<std::int64_t>(kMaxChainDepth) - 1;
    EXPECT_THAT(verdict(child, *parent), HasSubstr("at most 16 links"));
}

TEST(Narrowing, TheSubjectNeverChanges) {
    const auto parent = parent_of(spec_with({"fs/*"}));
    auto child = spec_with({"fs/*"});
    child.subject = "person:mallory";
    EXPECT_THAT(verdict(child, *parent), HasSubstr("`subject` must stay `person:alice`"));
}

TEST(Narrowing, ConditionsAreConjoinedNotCompared) {
    auto wide = spec_with({"fs/*"});
    wide.grants[0].when = "context.input.n < 3";
    auto child = spec_with({"fs/*"});
    EXPECT_EQ(verdict(child, *parent_of(wide)), "within");
    child.grants[0].when = "context.input.n < 300";
    EXPECT_EQ(verdict(child, *parent_of(wide)), "within");
}

TEST(CheckSpec, NamesTheMemberThatIsWrong) {
    const auto refusal = [](auto change) {
        TaskSpec spec = spec_with({"fs/*"});
        change(spec);
        const auto ok = check_spec(spec, 1'000);
        return ok ? std::string("ok")
                  : std::string(name(ok.error().code)) + " " + ok.error().detail;
    };
    EXPECT_EQ(refusal([](TaskSpec&) {}), "ok");
    const auto first = [](TaskSpec& s) -> Grant& { return s.grants[0]; };
    EXPECT_THAT(refusal([](TaskSpec& s) { s.grants.clear(); }), HasSubstr("invalid `grants`"));
    EXPECT_THAT(refusal([&](TaskSpec& s) { first(s).tools.clear(); }),
                HasSubstr("`grants[0].tools`"));
    EXPECT_THAT(refusal([&](TaskSpec& s) { first(s).tools = {"fs"}; }), HasSubstr("`server/tool`"));
    EXPECT_THAT(refusal([&](TaskSpec& s) { first(s).domains = {"a b"}; }),
                HasSubstr("`grants[0].domains`"));
    EXPECT_THAT(refusal([&](TaskSpec& s) { first(s).expires_s = -1; }), HasSubstr("negative"));
    EXPECT_THAT(refusal([&](TaskSpec& s) { first(s).expires_s = 1'000; }),
                HasSubstr("passed already"));
    EXPECT_THAT(refusal([](TaskSpec& s) { s.deadline_s = kMaxTaskLifetime_s + 1; }),
                HasSubstr("`deadline_s`"));
    EXPECT_THAT(refusal([](TaskSpec& s) { s.deadline_s = -1; }), HasSubstr("`deadline_s`"));
    EXPECT_THAT(refusal([](TaskSpec& s) { s.budget.calls = -1; }), HasSubstr("`budget.calls`"));
    EXPECT_THAT(refusal([](TaskSpec& s) { s.depth_max = 16; }), HasSubstr("`depth_max`"));
    for (const char* subject : {"", "alice", "person:", "person:a b", "user:alice", "person:a\n"})
        EXPECT_THAT(refusal([&](TaskSpec& s) { s.subject = subject; }), HasSubstr("`subject`"));
}

TEST(CheckSpec, SizesAreBounded) {
    const auto code = [](auto change) {
        TaskSpec spec = spec_with({"fs/*"});
        change(spec);
        const auto ok = check_spec(spec, 1'000);
        return ok ? std::string_view("ok") : name(ok.error().code);
    };
    const auto large = name(ErrorCode::kTooLarge);
    EXPECT_EQ(code([](TaskSpec& s) { s.prompt.assign(kMaxPromptBytes, 'x'); }), "ok");
    EXPECT_EQ(code([](TaskSpec& s) { s.prompt.assign(kMaxPromptBytes + 1, 'x'); }), large);
    EXPECT_EQ(code([](TaskSpec& s) { s.purpose.assign(kMaxPurposeBytes + 1, 'x'); }), large);
    EXPECT_EQ(code([](TaskSpec& s) { s.grants.resize(kMaxGrantsPerTask + 1, s.grants[0]); }),
              large);
    EXPECT_EQ(code([](TaskSpec& s) { s.grants[0].tools.resize(kMaxToolsPerGrant + 1, "fs/x"); }),
              large);
    EXPECT_EQ(code([](TaskSpec& s) { s.grants[0].domains.resize(kMaxDomainsPerGrant + 1, "d"); }),
              large);
    EXPECT_EQ(code([](TaskSpec& s) { s.grants[0].when.assign(kMaxWhenBytes + 1, '1'); }), large);
}

// The property. A small world in which authority can be enumerated: every tool, domain and second.
const std::vector<std::string> kTools = {"a/x", "a/y", "b/x", "b/y"};
const std::vector<std::string> kPatterns = {"a/x", "a/y", "a/*", "b/x", "b/y", "b/*"};
const std::vector<std::string> kDomains = {"d1", "d2", "d3"};
constexpr std::int64_t kEnd_s = 8;

// What a link permits, said without the code under test.
bool permits(const TaskSpec& spec, std::int64_t deadline_s, const std::string& tool,
             const std::string& domain, std::int64_t at_s) {
    if (at_s >= deadline_s) return false;
    return std::any_of(spec.grants.begin(), spec.grants.end(), [&](const Grant& grant) {
        const auto has = [](const auto& list, const std::string& text) {
            return std::find(list.begin(), list.end(), text) != list.end();
        };
        return (has(grant.tools, tool) || has(grant.tools, tool.substr(0, 2) + "*")) &&
               (grant.domains.empty() || has(grant.domains, domain)) &&
               (grant.expires_s == 0 || at_s < grant.expires_s);
    });
}

TaskSpec random_spec() {
    TaskSpec spec = spec_with({});
    spec.grants.clear();
    for (int n = *rc::gen::inRange(1, 4); n > 0; --n)
        spec.grants.push_back(
            {*rc::gen::nonEmpty(
                 rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPatterns))),
             *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kDomains)), "",
             *rc::gen::inRange<std::int64_t>(0, kEnd_s + 2)});
    spec.budget.calls = *rc::gen::inRange<std::int64_t>(0, 4);
    spec.depth_max = *rc::gen::inRange<std::int64_t>(0, 4);
    return spec;
}

// A child that is likely to be accepted: a piece of its parent, sometimes damaged.
TaskSpec random_child(const TaskSpec& parent) {
    if (*rc::gen::inRange(0, 4) == 0) return random_spec();
    TaskSpec spec = parent;
    spec.depth_max = std::max<std::int64_t>(0, parent.depth_max - *rc::gen::inRange(0, 3));
    spec.grants.resize(*rc::gen::inRange<std::size_t>(1, parent.grants.size() + 1));
    Grant& grant = spec.grants.back();
    switch (*rc::gen::inRange(0, 5)) {
        case 0:
            grant.tools.push_back(*rc::gen::elementOf(kPatterns));
            break;
        case 1:
            grant.domains.assign(1, *rc::gen::elementOf(kDomains));
            break;
        case 2:
            grant.domains.clear();
            break;
        case 3:
            grant.expires_s = *rc::gen::inRange<std::int64_t>(0, kEnd_s + 2);
            break;
        default:
            spec.budget.calls = *rc::gen::inRange<std::int64_t>(0, 4);
    }
    return spec;
}

void expect_within(const TaskSpec& child, std::int64_t child_end_s, const Task& parent) {
    const std::int64_t parent_end_s = parent.deadline_us / kSecond_us;
    for (const std::string& tool : kTools)
        for (const std::string& domain : kDomains)
            for (std::int64_t at_s = 0; at_s <= kEnd_s + 1; ++at_s)
                if (permits(child, child_end_s, tool, domain, at_s))
                    RC_ASSERT(permits(parent.spec, parent_end_s, tool, domain, at_s));
    RC_ASSERT(parent.spec.budget.calls == 0 ||
              (child.budget.calls > 0 && child.budget.calls <= parent.spec.budget.calls));
    RC_ASSERT(child.depth_max < parent.spec.depth_max);
}

TEST(NarrowingProperty, RandomChainsNeverWiden) {
    std::size_t accepted = 0;
    EXPECT_TRUE(rc::check("a child may do only what its parent may", [&] {
        auto parent = parent_of(random_spec(), *rc::gen::inRange<std::int64_t>(1, kEnd_s + 1));
        for (int link = 0; link < 4; ++link) {
            const TaskSpec child = random_child(parent->spec);
            const auto end_s = *rc::gen::inRange<std::int64_t>(1, kEnd_s + 2);
            if (!check_narrowing(child, end_s * kSecond_us, *parent)) continue;
            ++accepted;
            expect_within(child, end_s, *parent);
            auto next = std::make_unique<Task>();
            next->spec = child;
            next->depth = parent->depth + 1;
            next->deadline_us = end_s * kSecond_us;
            parent = std::move(next);
        }
    }));
    EXPECT_GT(accepted, 20u) << "the property was not exercised";
}

TEST(NarrowingProperty, TheSameAuthorityOneLevelDownIsAccepted) {
    EXPECT_TRUE(rc::check("no false refusal of an equal child", [] {
        auto parent = parent_of(random_spec(), kEnd_s);
        TaskSpec child = parent->spec;
        child.depth_max = parent->spec.depth_max - 1;
        RC_ASSERT(check_narrowing(child, parent->deadline_us, *parent).has_value());
    }));
}

}  // namespace
}  // namespace writ::identity

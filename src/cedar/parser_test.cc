// Parsing: what is refused and in which words, where errors are, and the limits.
#include "cedar/parser.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "cedar/formatter.h"
#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

std::string nested(std::string_view open, std::string_view close, std::size_t depth) {
    std::string out = "permit(principal, action, resource) when { ";
    for (std::size_t i = 0; i < depth; ++i) out += open;
    out += "true";
    for (std::size_t i = 0; i < depth; ++i) out += close;
    return out + " };";
}

Error error_of(std::string_view text, const ParseOptions& options = {}) {
    const auto policies = PolicySet::parse(text, options);
    return policies ? Error{ErrorCode::kInternal, "parsed", {}} : policies.error();
}

TEST(Parser, EmptyTextIsAnEmptySet) {
    EXPECT_EQ(PolicySet::parse("").value().size(), 0u);
    EXPECT_EQ(PolicySet::parse(" // nothing\n").value().size(), 0u);
}

TEST(Parser, IdsCountPoliciesAndTemplatesAlike) {
    const auto policies = PolicySet::parse(
        "permit(principal, action, resource); permit(principal == ?principal, action, resource);"
        "forbid(principal, action, resource in ?resource);",
        {.id_prefix = "pay."});
    ASSERT_TRUE(policies);
    const auto list = policies->list();
    ASSERT_EQ(list.size(), 3u);
    EXPECT_EQ(list[0].id, "pay.0");
    EXPECT_FALSE(list[0].is_template);
    EXPECT_TRUE(list[1].is_template);
    EXPECT_TRUE(list[2].is_template);
    EXPECT_EQ(list[2].effect, Effect::kForbid);
}

TEST(Parser, AnnotationsKeepTheirValues) {
    const auto policies = PolicySet::parse(
        "@id(\"a\\n\") @if @permit(\"\") // all are names\npermit(principal, action, resource);");
    ASSERT_TRUE(policies);
    const auto annotations = policies->list()[0].annotations;
    EXPECT_EQ(annotations.size(), 3u);
    EXPECT_EQ(annotations.at("id"), "a\n");
    EXPECT_EQ(annotations.at("if"), "");
}

TEST(Parser, PoliciesKnowTheirPlaceAndText) {
    const auto policies = PolicySet::parse(
        "permit(principal, action, resource);\n// \u00e9\n  @a forbid(principal, action, "
        "resource)\nwhen { true }; // after",
        {.file = "pay.cedar"});
    ASSERT_TRUE(policies);
    const auto second = policies->info("policy1");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->at, (SourceRef{"pay.cedar", 3, 3}));
    EXPECT_EQ(second->text, "@a forbid(principal, action, resource)\nwhen { true };");
}

TEST(Parser, ErrorsNameFileLineAndColumn) {
    const Error error = error_of("permit(principal, action, resource)\nwhen { \"\u00e9\" == };",
                                 {.file = "pay.cedar"});
    EXPECT_EQ(error.code, ErrorCode::kInvalid);
    EXPECT_EQ(error.message(), "pay.cedar:2:15: unexpected token `}`: expected an expression");
}

TEST(Parser, AllErrorsAreCollected) {
    const Error error = error_of(
        "permit(principal, action);\npermit(principal, action, resource) when { foo(1) && "
        "[].bar() };\nallow(principal, action, resource);\npermit(principal, action, resource);",
        {.file = "p"});
    EXPECT_EQ(error.at, (SourceRef{"p", 1, 25}));
    EXPECT_NE(error.detail.find("\np:2:44: `foo` is not a valid function"), std::string::npos);
    EXPECT_NE(error.detail.find("\np:2:57: `bar` is not a valid method"), std::string::npos);
    EXPECT_NE(error.detail.find("\np:3:1: invalid policy effect: allow"), std::string::npos);
}

TEST(Parser, SuggestsWhatWasMeant) {
    EXPECT_NE(error_of("permit(principal, action, resource) when { [1].contain(1) };")
                  .detail.find("did you mean `contains`?"),
              std::string::npos);
    EXPECT_NE(error_of("permit(principal, action, resource) when { datetme(\"x\") == 1 };")
                  .detail.find("did you mean `datetime`?"),
              std::string::npos);
}

TEST(Parser, TextMustBeUtf8) {
    const Error error =
        error_of("permit(principal, action, resource)\n when { \"\xff\" == \"\" };");
    EXPECT_EQ(error.detail, "invalid token: byte 0xff is not UTF-8");
    EXPECT_EQ(error.at.line, 2u);
    EXPECT_EQ(error.at.column, 10u);
}

TEST(Parser, NestingIsBoundedWhereverItComesFrom) {
    EXPECT_TRUE(PolicySet::parse(nested("(", ")", 200)));
    EXPECT_TRUE(PolicySet::parse(nested("[", "]", 200)));
    for (const auto& [open, close] : std::initializer_list<std::pair<const char*, const char*>>{
             {"(", ")"},
             {"[", "]"},
             {"{a: ", "}"},
             {"!(", ")"},
             {"if true then true else ", ""},
             {"[].contains(", ")"},
             {"", ".a"},
             {"", "[\"a\"]"},
             {"1 + ", ""},
             {"1 * ", ""},
             {"principal is User in (", ")"}})
        EXPECT_EQ(error_of(nested(open, close, 10'000)).code, ErrorCode::kTooLarge) << open;
    std::string parens = "permit(principal in ";
    parens.append(100'000, '(');
    EXPECT_EQ(error_of(parens).code, ErrorCode::kTooLarge);
    EXPECT_EQ(error_of(nested("-", "", 100'000)).code, ErrorCode::kInvalid);
}

TEST(Parser, LongChainsOfOneOperatorAreNotDeep) {
    std::string text = "permit(principal, action, resource) when { true";
    for (int i = 0; i < 10'000; ++i) text += i % 2 == 0 ? " && true" : " || false";
    EXPECT_TRUE(PolicySet::parse(text + " };"));
    std::string clauses = "permit(principal, action, resource)";
    for (int i = 0; i < 1'000; ++i) clauses += " when { true }";
    EXPECT_TRUE(PolicySet::parse(clauses + ";"));
}

TEST(Parser, LimitsAreNamed) {
    Limits limits;
    limits.bytes_max = 10;
    EXPECT_EQ(error_of("permit(principal, action, resource);", {.limits = limits}).code,
              ErrorCode::kTooLarge);
    limits = {};
    limits.policies_max = 1;
    EXPECT_EQ(error_of("permit(principal, action, resource); permit(principal, action, resource);",
                       {.limits = limits})
                  .code,
              ErrorCode::kTooLarge);
    limits = {};
    limits.depth_max = 3;
    EXPECT_TRUE(PolicySet::parse(nested("(", ")", 2), {.limits = limits}));
    EXPECT_FALSE(PolicySet::parse(nested("(", ")", 3), {.limits = limits}));
    limits.depth_max = 1'000'000;  // more than the stack is good for: capped
    EXPECT_FALSE(PolicySet::parse(nested("(", ")", 300), {.limits = limits}));
}

TEST(Parser, ErrorsAreBoundedInNumberAndLength) {
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += "nonsense; ";
    const Error error = error_of(text);
    EXPECT_LE(std::count(error.detail.begin(), error.detail.end(), '\n'), 100);
    EXPECT_LT(error_of(std::string(100'000, 'x')).detail.size(), 200'000u);
}

// A sparse gibibyte, mapped: no reader of policies may touch it before it knows the size.
TEST(Parser, AGibibyteIsRefusedUnread) {
    constexpr std::size_t kBytes = std::size_t{1} << 30;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(ftruncate(fileno(file.get()), kBytes), 0);
    void* const mapped = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fileno(file.get()), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    const std::string_view text(static_cast<const char*>(mapped), kBytes);
    const auto start = std::chrono::steady_clock::now();
    PolicySet policies;
    EXPECT_EQ(PolicySet::parse(text).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(PolicySet::parse_json(text).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(policies.add("p", text).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(policies.add_json("p", text).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(format(text).error().code, ErrorCode::kTooLarge);
    EXPECT_EQ(Entities::parse_json(text).error().code, ErrorCode::kTooLarge);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    munmap(mapped, kBytes);
}

}  // namespace
}  // namespace writ::cedar

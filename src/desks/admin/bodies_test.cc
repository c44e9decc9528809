// Defends: a misspelt or mistyped member changes no request into another one.
#include "desks/admin/bodies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::admin {
namespace {

using ::testing::HasSubstr;

template <class T>
std::string refusal(const Result<T>& read) {
    return read ? "taken" : read.error().detail;
}

TEST(AdminBodies, AMisspeltDryRunShredsNothing) {
    EXPECT_THAT(refusal(read_shred(R"({"subject":"alice","reason":"x","dryrun":true})")),
                HasSubstr("unknown member `dryrun`"));
    EXPECT_THAT(refusal(read_shred(R"({"subject":"alice","befor":"2020-01"})")),
                HasSubstr("unknown member `befor`"));
    EXPECT_EQ(refusal(read_shred(R"({"subject":"alice","dry_run":"true"})")),
              "`dry_run` must be true or false");
    EXPECT_EQ(refusal(read_shred(R"({"subject":7})")), "`subject` must be a string");
    EXPECT_THAT(refusal(read_shred(R"({"subject":"alice","before":""})")),
                HasSubstr("must be a month"));
    EXPECT_EQ(refusal(read_shred("[]")), "the text must be an object");
    EXPECT_NE(refusal(read_shred("")), "taken");
    const auto good =
        read_shred(R"({"subject":"a","before":"2026-01","reason":"r","dry_run":true})");
    ASSERT_TRUE(good);
    EXPECT_EQ(good->subject + good->before + good->reason, "a2026-01r");
    EXPECT_TRUE(good->dry_run);
}

TEST(AdminBodies, AMisspeltCheckReloadsNothing) {
    EXPECT_THAT(refusal(reload_checks_only(R"({"chek":true})")), HasSubstr("`check`"));
    EXPECT_NE(refusal(reload_checks_only(R"({"check":"true"})")), "taken");
    EXPECT_FALSE(*reload_checks_only(""));
    EXPECT_FALSE(*reload_checks_only("{}"));
    EXPECT_TRUE(*reload_checks_only(R"({"check":true})"));
}

TEST(AdminBodies, AMisspeltReasonKeepsNoTaskAlive) {
    EXPECT_EQ(*read_reason("", "revoked"), "revoked");
    EXPECT_EQ(*read_reason(R"({"reason":"wrong recipient"})", "revoked"), "wrong recipient");
    EXPECT_EQ(read_reason(R"({"reason":")" + std::string(900, 'x') + "\"}", "")->size(), 500u);
    EXPECT_EQ(*read_reason(R"({"why":"wrong recipient"})", "revoked"), "revoked");
    EXPECT_EQ(*read_reason(R"({"reason":null,"by":"alice"})", "revoked"), "revoked");
    EXPECT_NE(refusal(read_reason("{", "revoked")), "taken");
}

TEST(AdminBodies, TheOthersAreReadAsStrictly) {
    EXPECT_EQ(*read_pin(R"({"pin":"sha256:1"})"), "sha256:1");
    EXPECT_NE(refusal(read_pin(R"({"pins":"sha256:1"})")), "taken");
    const auto asked = read_explain(R"({"task":"t","tool":"a/b","arguments":{ "n" : 1.0 }})");
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->arguments, R"({ "n" : 1.0 })");
    EXPECT_EQ(read_explain(R"({"task":"t","tool":"a/b"})")->arguments, "{}");
    EXPECT_NE(refusal(read_explain(R"({"task":"t","tool":"a/b","argument":{}})")), "taken");
    EXPECT_NE(refusal(read_explain(R"({"task":"t"})")), "taken");
}

}  // namespace
}  // namespace writ::admin

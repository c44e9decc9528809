// Policy files that are none: refused quickly, with their name, in bounded memory.
#include "cli/policy_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/temp_dir.h"
#include "policy/policy.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

class PolicyFiles : public ::testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) {
        std::ofstream(dir_ / name, std::ios::binary) << text;
    }

    // What loading the folder and making an engine of it says.
    Error refusal() {
        auto files = load_policies(dir_);
        if (!files) return files.error();
        const auto catalog = catalog::Catalog::make({}, {}, {});
        const auto engine = policy::Engine::make(std::move(*files), {}, (*catalog)->snapshot());
        return engine ? Error{ErrorCode::kInternal, "it was accepted", {}} : engine.error();
    }

    const TempDir temp_;
    const fs::path dir_ = temp_.path();
};

TEST_F(PolicyFiles, AGibibyteIsRefusedByItsSize) {
    write("big.cedar", "permit (principal, action, resource);");
    ASSERT_EQ(truncate((dir_ / "big.cedar").c_str(), 1 << 30), 0);
    const auto start = std::chrono::steady_clock::now();
    const Error error = refusal();
    EXPECT_EQ(error.code, ErrorCode::kTooLarge);
    EXPECT_NE(error.message().find("big.cedar: "), std::string::npos) << error.message();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST_F(PolicyFiles, TenThousandDeepIsRefused) {
    std::string deep = "permit (principal, action, resource) when { ";
    deep += std::string(10'000, '(') + "true" + std::string(10'000, ')') + " };";
    write("deep.cedar", deep);
    const Error error = refusal();
    EXPECT_EQ(error.code, ErrorCode::kTooLarge) << error.message();
    EXPECT_NE(error.message().find("deep.cedar:1:"), std::string::npos) << error.message();
}

TEST_F(PolicyFiles, BytesThatAreNoTextAreRefusedAtTheirLine) {
    write("binary.cedar", std::string("permit\n\x7f\x45LF\0\1\2", 14));
    EXPECT_NE(refusal().message().find("binary.cedar:2"), std::string::npos);
    write("binary.cedar", "permit (principal, action, resource) // \xff\xfe\n;");
    EXPECT_NE(refusal().message().find("binary.cedar:1"), std::string::npos) << refusal().message();
}

TEST_F(PolicyFiles, WhatIsNoRegularFileIsRefusedAndNothingWaits) {
    ASSERT_EQ(symlink("loop.cedar", (dir_ / "loop.cedar").c_str()), 0);
    EXPECT_NE(refusal().message().find("loop.cedar: "), std::string::npos);
    fs::remove(dir_ / "loop.cedar");
    ASSERT_EQ(mkfifo((dir_ / "pipe.cedar").c_str(), 0600), 0);
    EXPECT_NE(refusal().message().find("no regular file"), std::string::npos);
    fs::remove(dir_ / "pipe.cedar");
    ASSERT_EQ(symlink("/dev/zero", (dir_ / "zero.cedar").c_str()), 0);
    EXPECT_NE(refusal().message().find("no regular file"), std::string::npos);
    fs::remove(dir_ / "zero.cedar");
    fs::create_directory(dir_ / "folder.cedar");
    EXPECT_NE(refusal().message().find("no regular file"), std::string::npos);
    fs::remove(dir_ / "folder.cedar");
    // A loop of folders beside the files is not walked into.
    ASSERT_EQ(symlink(".", (dir_ / "self").c_str()), 0);
    write("good.cedar", "permit (principal, action, resource);");
    EXPECT_EQ(refusal().detail, "it was accepted");
}

TEST_F(PolicyFiles, AFileThatMayNotBeReadIsNamed) {
    if (geteuid() == 0) GTEST_SKIP() << "skipped: root reads everything";
    write("secret.cedar", "permit (principal, action, resource);");
    ASSERT_EQ(chmod((dir_ / "secret.cedar").c_str(), 0), 0);
    EXPECT_NE(refusal().message().find("secret.cedar: "), std::string::npos);
}

TEST_F(PolicyFiles, AllErrorsOfAllFilesHaveTheirPlace) {
    write("a.cedar", "permit (principal, action, resource) when { context.input. };\n");
    write("b.cedar", "\nforbid (principal);\n");
    const std::string text = refusal().message();
    EXPECT_NE(text.find("a.cedar:1:"), std::string::npos) << text;
    EXPECT_NE(text.find("b.cedar:2:"), std::string::npos) << text;
}

}  // namespace
}  // namespace writ::cli

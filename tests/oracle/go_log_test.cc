// Go's golang.org/x/mod/sumdb and ours, both ways: it reads and proves from logs that we wrote, our
// reader and the separate verifier read logs that it wrote.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "apps/writ-verify/verify.h"
#include "base/temp_dir.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"

namespace writ {
namespace {

namespace fs = std::filesystem;

class GoLog : public ::testing::Test {
  protected:
    void SetUp() override {
        if (std::system("command -v go >/dev/null 2>&1") != 0 ||
            !fs::exists("/usr/share/gocode/src/golang.org/x/mod/sumdb"))
            GTEST_SKIP() << "no go with golang.org/x/mod: install golang-go and "
                            "golang-golang-x-mod-dev";
        program = (fs::path(WRIT_BINARY_DIR) / "go_log").string();
        const std::string build = "cd '" + std::string(WRIT_SOURCE_DIR) +
                                  "/tests/oracle/go_log' && GO111MODULE=off "
                                  "GOPATH=/usr/share/gocode GOCACHE='" +
                                  std::string(WRIT_BINARY_DIR) + "/go-cache' go build -o '" +
                                  program + "' .";
        ASSERT_EQ(std::system(build.c_str()), 0);
    }
    bool go(const std::string& words) const {
        return std::system(("'" + program + "' " + words + " 2>/dev/null").c_str()) == 0;
    }
    static std::string text_of(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }
    static void flip(const fs::path& path, std::size_t at) {
        std::string bytes = text_of(path);
        bytes.at(at) = static_cast<char>(bytes[at] ^ 1);
        std::ofstream(path, std::ios::binary) << bytes;
    }

    const TempDir temp;
    const fs::path dir = temp.path();
    std::string program;
};

TEST_F(GoLog, GoReadsAndProvesWhatWeWrote) {
    SystemClock clock;
    const Bytes seed(32, 5);
    const fs::path log = dir / "data/log/default/node";
    const fs::path old = dir / "old";
    int have = 0;
    for (const int size : {1, 255, 256, 257, 1'000, 66'000}) {
        ledger::Options options;
        options.dir = dir / "data";
        options.origin = "test.local/log";
        auto ours = ledger::Ledger::open(options, *crypto::Ed25519Key::from_seed(seed), clock);
        ASSERT_TRUE(ours);
        for (; have < size; ++have) {
            (*ours)->append("entry " + std::to_string(have), [](auto) {});
            if (have % 8'000 == 7'999) ASSERT_TRUE((*ours)->flush());
        }
        ASSERT_TRUE((*ours)->flush());
        EXPECT_TRUE(
            go("check '" + log.string() + "'" + (size > 1 ? " '" + old.string() + "'" : "")))
            << size;
        fs::copy_file(log / "checkpoint", old, fs::copy_options::overwrite_existing);
    }
    flip(log / "tile/entries/100", 500);
    EXPECT_FALSE(go("check '" + log.string() + "'"));
}

TEST_F(GoLog, WeReadWhatGoWrote) {
    for (const int size : {1, 2, 255, 256, 257, 70'000}) {
        const fs::path log = dir / std::to_string(size);
        ASSERT_TRUE(go("make '" + log.string() + "' " + std::to_string(size)));
        const auto reader = ledger::LogReader::open(log, text_of(log / "log.vkey"));
        ASSERT_TRUE(reader) << reader.error().message();
        EXPECT_EQ(reader->checkpoint().size, static_cast<std::uint64_t>(size));
        const auto report = reader->verify();
        EXPECT_TRUE(report.findings.empty()) << report.findings.front().what;
        EXPECT_TRUE(reader->proof(static_cast<std::uint64_t>(size) / 2));
        verify::Options options;
        options.trust.log = verify::parse_key(text_of(log / "log.vkey"));
        options.events = false;
        std::string why;
        const auto verified = verify::verify_log(log, options, why);
        ASSERT_TRUE(verified) << why;
        EXPECT_TRUE(verified->findings.empty()) << verified->findings.front();
        EXPECT_EQ(verified->entries, static_cast<std::uint64_t>(size));
    }
    const fs::path log = dir / "70000";
    flip(log / "tile/1/000", 40);
    verify::Options options;
    options.events = false;
    std::string why;
    EXPECT_FALSE(verify::verify_log(log, options, why)->findings.empty());
    EXPECT_FALSE(
        ledger::LogReader::open(log, text_of(log / "log.vkey"))->verify().findings.empty());
}

}  // namespace
}  // namespace writ

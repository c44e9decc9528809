// Style as a test: the include graph points down the floors of docs/architecture.md, files and
// lines keep their lengths, the format is clang-format's, banned calls and dangerous coroutine
// shapes do not occur.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace writ {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = WRIT_SOURCE_DIR;

// Which rooms a room may include, besides itself. Rooms of one floor do not know each other except
// where it says so.
const std::map<std::string, std::set<std::string>>& allowed() {
    static const auto table = [] {
        const std::set<std::string> floor0 = {"base"};
        std::set<std::string> floor1 = floor0;
        floor1.insert({"json", "crypto", "jose", "net"});
        std::set<std::string> floor2 = floor1;
        floor2.insert({"cedar", "ledger", "store"});
        std::set<std::string> floor3 = floor2;
        floor3.insert("evidence");  // all of the domain may write evidence
        std::set<std::string> policy = floor3;
        policy.insert({"identity", "catalog"});
        std::set<std::string> gate = policy;
        gate.insert({"policy"});
        std::set<std::string> floor5 = gate;
        floor5.insert("gate");
        std::set<std::string> cli = floor5;
        cli.insert({"doors/mcp", "desks/admin", "desks/launch"});
        return std::map<std::string, std::set<std::string>>{
            {"base", {}},
            {"json", floor0},
            {"crypto", floor0},
            {"jose", {"base", "json", "crypto"}},
            {"net", floor0},
            {"cedar", {"base", "json"}},
            {"ledger", {"base", "crypto"}},
            {"store", floor1},
            {"evidence", floor2},
            {"catalog", floor3},
            {"identity", floor3},
            {"policy", policy},
            {"gate", gate},
            {"doors/mcp", floor5},
            {"desks/admin", floor5},
            {"desks/launch", floor5},
            {"cli", cli},
        };
    }();
    return table;
}

std::vector<fs::path> sources(std::initializer_list<const char*> folders) {
    std::vector<fs::path> out;
    for (const char* folder : folders) {
        if (!fs::exists(kRoot / folder)) continue;
        for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
            const auto extension = entry.path().extension();
            if (extension == ".h" || extension == ".cc") out.push_back(entry.path());
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> lines_of(const fs::path& file) {
    std::ifstream in(file);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
}

std::string shown(const fs::path& file) {
    return fs::relative(file, kRoot).string();
}

std::string room_of(const fs::path& file) {
    const auto part = fs::relative(file, kRoot / "src");
    auto it = part.begin();
    std::string room = it->string();
    if (room == "doors" || room == "desks") room += "/" + std::next(it)->string();
    return room;
}

// The line without its string literals and `//` comment, so that prose is not taken for code.
std::string code_of(const std::string& line) {
    static const std::regex strings(R"("(\\.|[^"\\])*")");
    std::string out = std::regex_replace(line, strings, "\"\"");
    const auto comment = out.find("//");
    return comment == std::string::npos ? out : out.substr(0, comment);
}

TEST(Tidy, IncludesPointOnlyDownTheFloors) {
    static const std::regex include(R"re(^#include "([^"]+)/[^/"]+")re");
    for (const auto& file : sources({"src"})) {
        const std::string room = room_of(file);
        ASSERT_TRUE(allowed().contains(room)) << "a room the plan does not know: src/" << room;
        for (const auto& line : lines_of(file)) {
            std::smatch match;
            if (!std::regex_search(line, match, include)) continue;
            const std::string target = match[1];
            EXPECT_TRUE(target == room || allowed().at(room).contains(target))
                << shown(file) << ": " << room << " may not include " << target;
        }
    }
}

TEST(Tidy, OnlyNetIncludesAsioAndBeast) {
    static const std::regex heavy(
        R"(^#include <(boost/(asio|beast)|openssl/|sqlite3|libpq|simdjson))");
    static const std::map<std::string, std::set<std::string>> homes = {
        {"boost/asio", {"net"}},
        {"boost/beast", {"net"}},
        {"openssl/", {"crypto", "net", "apps/writ-verify"}},
        {"sqlite3", {"store", "evidence"}},  // evidence: the index of a log, a copy
        {"simdjson", {"json", "apps/writ-verify"}}};
    for (const auto& file : sources({"src", "apps"})) {
        const std::string room =
            shown(file).starts_with("src") ? room_of(file) : shown(file.parent_path());
        for (const auto& line : lines_of(file)) {
            std::smatch match;
            if (!std::regex_search(line, match, heavy)) continue;
            const auto home = homes.find(match[1]);
            const bool ok = home != homes.end() && home->second.contains(room);
            EXPECT_TRUE(ok) << shown(file) << ": " << line << " belongs behind " << room
                            << "'s floor";
        }
    }
}

TEST(Tidy, FilesAndLinesKeepTheirLengths) {
    for (const auto& file : sources({"src", "apps", "tests", "fuzz", "bench"})) {
        const auto lines = lines_of(file);
        EXPECT_LE(lines.size(), 500u) << shown(file) << " is too long: split it";
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const auto width = std::count_if(lines[i].begin(), lines[i].end(),
                                             [](char c) { return (c & 0xc0) != 0x80; });
            EXPECT_LE(width, 100) << shown(file) << ":" << i + 1 << " is too wide";
        }
    }
}

TEST(Tidy, EveryFileSaysWhatItIsFor) {
    for (const auto& file : sources({"src", "apps"})) {
        if (file.extension() != ".h") continue;
        const auto lines = lines_of(file);
        ASSERT_FALSE(lines.empty()) << shown(file);
        EXPECT_TRUE(lines[0].starts_with("// ")) << shown(file) << " opens without a sentence";
    }
}

TEST(Tidy, BannedCallsDoNotOccur) {
    static const std::regex banned(
        R"((^|[^\w:.>])(strcpy|strcat|sprintf|system|rand|srand|localtime|gmtime|popen)\s*\()"
        R"(|std::(endl|rand|system)\b|\bTODO\b|\bFIXME\b|using namespace )");
    for (const auto& file : sources({"src", "apps"})) {
        if (file.stem().string().ends_with("_test")) continue;  // tests run other programs
        const auto lines = lines_of(file);
        for (std::size_t i = 0; i < lines.size(); ++i)
            EXPECT_FALSE(std::regex_search(code_of(lines[i]), banned))
                << shown(file) << ":" << i + 1 << ": " << lines[i];
    }
}

// A capturing lambda that is a coroutine loses its captures with the lambda object; a conditional
// with an await in each branch is miscompiled by some compilers (docs/architecture.md, section 6).
TEST(Tidy, DangerousCoroutineShapesDoNotOccur) {
    static const std::regex capturing(
        R"(\[[^\]]+\]\s*\([^)]*\)\s*(mutable\s*)?->\s*(net::)?Task<)");
    static const std::regex conditional(R"(\?\s*co_await .*:\s*co_await )");
    for (const auto& file : sources({"src", "apps"})) {
        const auto lines = lines_of(file);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const std::string code = code_of(lines[i]);
            EXPECT_FALSE(std::regex_search(code, capturing)) << shown(file) << ":" << i + 1;
            EXPECT_FALSE(std::regex_search(code, conditional)) << shown(file) << ":" << i + 1;
        }
    }
}

TEST(Tidy, NoPackageRegistryIsNamed) {
    static const std::regex host(R"(registry\.npmjs|deb\.debian\.org|"resolved": *"http)");
    for (const char* name :
         {"scripts", "examples", "docs", "src", "quickstart", "test", "README.md"}) {
        const fs::path top = kRoot / name;
        if (!fs::exists(top)) continue;
        std::vector<fs::path> files;
        if (fs::is_regular_file(top)) files.push_back(top);
        if (fs::is_directory(top))
            for (const auto& entry : fs::recursive_directory_iterator(top))
                if (entry.is_regular_file()) files.push_back(entry.path());
        for (const auto& file : files)
            for (const auto& line : lines_of(file))
                EXPECT_FALSE(std::regex_search(line, host)) << shown(file) << ": " << line;
    }
}

TEST(Tidy, FormatIsClangFormats) {
    if (std::system("command -v clang-format-19 >/dev/null 2>&1") != 0)
        GTEST_SKIP() << "clang-format-19 is not installed";
    std::string command = "clang-format-19 --dry-run -Werror";
    for (const auto& file : sources({"src", "apps", "tests", "fuzz"}))
        command += " '" + file.string() + "'";
    FILE* pipe =
        popen((command + " 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c").c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    std::array<char, 4096> buffer{};
    while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
    pclose(pipe);
    EXPECT_EQ(output, "") << "run clang-format-19 -i on these";
}

}  // namespace
}  // namespace writ

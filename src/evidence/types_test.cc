// Defends: every type of event has somebody who emits it, or says whom it waits for.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>

#include "evidence/leaf.h"

namespace writ::evidence {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string quoted(const std::string& type) {
    return '"' + type + '"';
}

// From the table of docs/spec/evidence/README.md, section 5.
std::map<std::string, std::string> emitters() {
    std::string text = text_of(fs::path(WRIT_SOURCE_DIR) / "docs/spec/evidence/README.md");
    text = text.substr(text.find("## 5."));
    std::map<std::string, std::string> out;
    const std::regex row("\\| (`[^|]*`) \\| ([^|]*) \\|");
    const std::regex name("`([a-z]+\\.[a-z]+)`");
    for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
        const std::string types = (*it)[1];
        for (std::sregex_iterator type(types.begin(), types.end(), name); type != end; ++type)
            EXPECT_TRUE(out.emplace((*type)[1], (*it)[2]).second) << (*type)[1] << " stands twice";
    }
    return out;
}

TEST(EventTypes, EachIsEmittedByWhoTheTableSaysOrWaitsForARoom) {
    const auto table = emitters();
    for (const auto type : known_types()) {
        const auto it = table.find(std::string(type));
        ASSERT_NE(it, table.end()) << type << " is not in the table";
        if (it->second.starts_with("nobody yet: ")) continue;
        ASSERT_TRUE(it->second.starts_with('`')) << it->second;
        const auto file = it->second.substr(1, it->second.size() - 2);
        const auto code = text_of(fs::path(WRIT_SOURCE_DIR) / file);
        EXPECT_NE(code.find(quoted(std::string(type))), std::string::npos)
            << file << " does not emit " << type;
    }
    EXPECT_EQ(table.size(), known_types().size());
}

TEST(EventTypes, WhatWaitsForARoomIsEmittedByNobody) {
    const auto table = emitters();
    for (const auto& room : fs::recursive_directory_iterator(fs::path(WRIT_SOURCE_DIR) / "src")) {
        const auto path = room.path().string();
        if (room.path().extension() != ".cc" || path.ends_with("_test.cc")) continue;
        const auto code = text_of(room.path());
        for (const auto& [type, who] : table) {
            if (!who.starts_with("nobody yet: ")) continue;
            EXPECT_EQ(code.find("draft.type = " + quoted(type)), std::string::npos)
                << path << " emits " << type << ": the table says nobody does";
        }
    }
}

}  // namespace
}  // namespace writ::evidence

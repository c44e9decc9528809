// For the tests of this room: a small world of entities and one request, the same in which the
// reference engine's answers were recorded, and short ways to ask in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "cedar/cedar.h"
#include "json/value.h"

namespace writ::cedar::test {

inline constexpr std::string_view kWorld = R"([
  {"uid": {"type": "User", "id": "a"}, "parents": [{"type": "G", "id": "g"}],
   "attrs": {"n": 1, "rec": {"k": {"z": 1}}}, "tags": {"t": "v"}},
  {"uid": {"type": "G", "id": "g"}, "parents": [{"type": "G", "id": "top"}], "attrs": {}},
  {"uid": {"type": "G", "id": "top"}, "parents": [], "attrs": {}}
])";

inline Value from_json(std::string_view text) {
    const auto document = json::parse(text);
    return document ? Value::from_json(document->root()).value() : Value::record({});
}

inline Request request() {
    return {{"User", "a"},
            {"Action", "x"},
            {"R", "r"},
            from_json(R"({"c": 1, "set": [1, 2], "a b": 3})")};
}

inline Entities world() {
    return Entities::parse_json(kWorld).value();
}

// The answer to `permit (…) when { expression };`, in the form of the recorded ones: `true`,
// `false`, `ERR: …` or `PARSE: …`.
inline std::string ask(std::string_view expression, const Request& asked, const Entities& store) {
    const std::string text =
        "permit(principal, action, resource) when { " + std::string(expression) + " };";
    const auto policies = PolicySet::parse(text);
    if (!policies) return "PARSE: " + policies.error().detail;
    const Response response = authorize(asked, *policies, store);
    if (!response.errors.empty()) return "ERR: " + response.errors[0].message;
    return response.decision == Decision::kAllow ? "true" : "false";
}

inline std::string ask(std::string_view expression) {
    static const Request asked = request();
    static const Entities store = world();
    return ask(expression, asked, store);
}

// The folder with the corpora; nullopt where there is none.
inline std::optional<std::filesystem::path> shared_folder() {
    const char* named = std::getenv("WRIT_SHARED");
    const std::filesystem::path folder =
        named != nullptr ? named : std::string(WRIT_SOURCE_DIR) + "/../shared";
    if (!std::filesystem::is_directory(folder)) return std::nullopt;
    return folder;
}

inline std::string read_file(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

// A file of recorded answers, one row a line. One of them has a line break within a row's string.
inline std::string read_rows(const std::filesystem::path& file) {
    std::string text = read_file(file);
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
        if (text.compare(at + 1, 2, "[\"") != 0) text[at] = ' ';
    return text;
}

}  // namespace writ::cedar::test

// Strict reading of TOML files that people write: every key must be known (a misspelt one gets a
// suggestion), of the right type and within its range; every error says file, line, column and what
// to write instead. toml++ stays in the .cc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::cli {

// One table of a file. Getters remember the first error and return a default after it; finish()
// reports it, or the first key that no getter asked for. Copies share the error.
class TomlTable {
  public:
    // Reads and parses `file` (at most kMaxConfigFileBytes). Errors: kNotFound, kTooLarge,
    // kInvalid.
    static Result<TomlTable> load(const std::filesystem::path& file);
    // The same from a text, `name` standing for the file in messages.
    static Result<TomlTable> parse(std::string_view text, std::string name);

    bool has(std::string_view key) const;
    std::string string(std::string_view key, std::optional<std::string> fallback = std::nullopt);
    std::int64_t integer(std::string_view key, std::optional<std::int64_t> fallback = std::nullopt);
    bool boolean(std::string_view key, bool fallback);
    // Seconds: an integer, or a text such as `90s`, `15m`, `8h`, `7d`.
    std::int64_t seconds(std::string_view key, std::int64_t fallback);
    std::vector<std::string> strings(std::string_view key);
    std::map<std::string, std::string> string_map(std::string_view key);
    // The sub-table, empty if it is not there.
    TomlTable table(std::string_view key);
    // An array of tables, `[[key]]`.
    std::vector<TomlTable> tables(std::string_view key);

    // Where `key` stands, for errors found later.
    SourceRef at(std::string_view key) const;
    // Records an error at `key` unless there is one already.
    void reject(std::string_view key, std::string detail);
    // The first error of this table and every table taken from it.
    Status finish();

  private:
    struct State;
    explicit TomlTable(std::shared_ptr<State> state);
    void check_unknown_keys();
    std::shared_ptr<State> state_;
};

// The bytes of `file`. Errors: kNotFound, kInvalid (a folder), kIo, kTooLarge
// (kMaxConfigFileBytes).
Result<std::string> read_toml(const std::filesystem::path& file);

// The candidate closest to `word` by edit distance, if close enough to be meant.
std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace writ::cli

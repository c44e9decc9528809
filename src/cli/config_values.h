// Values that several parts of writ.toml have: paths and names.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "cli/toml_reader.h"

namespace writ::cli {

// `text` as a path, seen from the folder of `file`; `~/` is the home folder.
std::filesystem::path from_file(const std::filesystem::path& file, std::string text);
// The path that `key` names, or `fallback` where it is not there, both as from_file() has them; no
// path where both are empty. An empty text in the file is recorded as wrong.
std::filesystem::path path_key(TomlTable& table, std::string_view key,
                               const std::filesystem::path& file, std::string fallback = "");
// A name (a-z 0-9 . _ -) of at most `max` characters; anything else is recorded as wrong.
std::string name_key(TomlTable& table, std::string_view key, std::optional<std::string> fallback,
                     std::size_t max = 63);

}  // namespace writ::cli

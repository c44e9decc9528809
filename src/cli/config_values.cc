#include "cli/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace writ::cli {

namespace fs = std::filesystem;

namespace {

bool is_name(std::string_view text, std::size_t max) {
    const auto ok = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !text.empty() && text.size() <= max && ok(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return ok(c) || c == '-' || c == '.' || c == '_'; });
}

}  // namespace

fs::path from_file(const fs::path& file, std::string text) {
    const char* home = std::getenv("HOME");
    if (text.starts_with("~/")) text = (home == nullptr ? "" : home) + text.substr(1);
    const fs::path path(text);
    if (path.is_absolute()) return path;
    std::error_code gone;  // the current folder, of which a relative `file` needs the name
    const fs::path whole = fs::absolute(file.parent_path() / path, gone);
    return (gone ? path : whole).lexically_normal();
}

fs::path path_key(TomlTable& table, std::string_view key, const fs::path& file,
                  std::string fallback) {
    const std::string text = table.string(key, std::move(fallback));
    if (text.empty() && table.has(key))
        table.reject(key, fmt::format("`{}` is empty: write a path, or leave it out", key));
    return text.empty() ? fs::path() : from_file(file, text);
}

std::string name_key(TomlTable& table, std::string_view key, std::optional<std::string> fallback,
                     std::size_t max) {
    std::string value = table.string(key, std::move(fallback));
    if ((table.has(key) || !value.empty()) && !is_name(value, max))
        table.reject(key, fmt::format("`{}` is not a name: use a-z 0-9 . _ -, starting with a "
                                      "letter or digit, at most {} characters",
                                      value, max));
    return value;
}

}  // namespace writ::cli

// The policies of a gateway as their files have them.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace writ::cli {

// Every `*.cedar` of a folder: name and text, sorted by name. Errors: kNotFound, kTooLarge, kIo,
// kInvalid (no text, no regular file).
Result<std::vector<std::pair<std::string, std::string>>> load_policies(
    const std::filesystem::path& dir);

}  // namespace writ::cli

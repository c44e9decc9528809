// [[servers]] and [[domains]] of writ.toml.
#pragma once

#include <filesystem>

#include "catalog/catalog.h"
#include "cli/toml_reader.h"

namespace writ::cli {

// One table; what is wrong in it is recorded there (TomlTable::reject). `file` is writ.toml.
catalog::ServerSpec read_server(TomlTable table, const std::filesystem::path& file);
catalog::DomainRule read_domain(TomlTable table);

}  // namespace writ::cli

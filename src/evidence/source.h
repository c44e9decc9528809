// A log as a source of leaves, so that what reads logs can be tried without files.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ledger/reader.h"

namespace writ::evidence {

using EachLeaf = std::function<bool(std::uint64_t index, std::string_view leaf)>;

struct LeafSource {
    std::string origin;
    std::uint64_t size = 0;
    // From an index on, in order, until `each` returns false. Errors: those of the log.
    std::function<Status(std::uint64_t from, const EachLeaf& each)> entries;

    // The entries at `indexes` (rising), reading each bundle once.
    Status pick(const std::vector<std::uint64_t>& indexes, const EachLeaf& each) const;
    Result<std::string> entry(std::uint64_t index) const;
};

// `log` must outlive it.
LeafSource source_of(const ledger::LogReader& log);

}  // namespace writ::evidence

// What the kernel says about this process, under the names that Prometheus' own clients use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/metrics.h"

namespace writ::cli {

// What cannot be read is nothing, and is left out of the page.
struct ProcessReading {
    std::optional<double> cpu_seconds, start_seconds;
    std::optional<std::uint64_t> resident_bytes, virtual_bytes, open_fds, fds_max, threads;
    std::optional<std::uint64_t> disk_free_bytes;  // for who may not use what is kept for root
};

// Blocks on /proc and on the disk of `data`.
ProcessReading read_process(const std::filesystem::path& data);

void write_process(metrics::Page& page, const ProcessReading& reading);

}  // namespace writ::cli

// The two things that can be verified: a log's folder and an evidence bundle. Files only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "note.h"
#include "report.h"

namespace writ::verify {

// Whom the user trusts. Without a log key the data's own is used, and the report says so.
struct Trust {
    std::optional<Key> log;
    std::optional<Policy> policy;
};

struct Options {
    Trust trust;
    bool events = true;  // the entries are Writ events
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
    std::filesystem::path older;  // a checkpoint seen before: the log must still contain it
};

// Empty with `why` when the file is not there, cannot be read or is larger than `bytes_max`.
std::optional<std::string> read_whole(const std::filesystem::path& path, std::size_t bytes_max,
                                      std::string& why);

// Both return nothing when the data cannot be read at all; `why` says why.
std::optional<Report> verify_log(const std::filesystem::path& dir, const Options& options,
                                 std::string& why);
std::optional<Report> verify_bundle(const std::filesystem::path& file, const Options& options,
                                    std::string& why);

// What both share: signature, origin and quorum of a checkpoint, into the report. False: it is not
// signed by the key, so nothing else means anything.
bool check_checkpoint(const Checkpoint& checkpoint, const Key& key, const Trust& trust,
                      Report& report);

}  // namespace writ::verify

// What was accepted and is not on disk yet, in memory that outlives the process: a file on tmpfs,
// mapped. A killed gateway finds there what it had promised without waiting for the disk; a machine
// that loses its power does not. Entries are put down in the order in which they will stand in the
// log, in two areas by turns, so that nothing is ever moved. Inner header of the room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::ledger {

class Accepted {
  public:
    // An entry's place; nothing where it was not kept. To be settled either way.
    struct Slot {
        std::uint32_t area = 0;
        std::uint32_t offset = 0;  // of the entry's head; 0: not kept
        bool kept() const { return offset != 0; }
    };
    // An entry whose fate is open, and a lower bound of its index in the log.
    struct Left {
        std::uint64_t from = 0;
        std::string entry;
    };

    // Opens or makes `path`, a regular file of this user's alone on tmpfs, where a write neither
    // waits nor fails. Errors: kUnsupported (no tmpfs), kUnavailable (no room), kCorrupt (somebody
    // else's file, or no file), kIo.
    static Result<Accepted> open(std::filesystem::path path);
    Accepted(Accepted&& other) noexcept;
    Accepted& operator=(Accepted&&) = delete;
    ~Accepted();

    // Of which run it is, as begin() was told; empty in a new file.
    std::string run() const;
    // What that run left open, in its order.
    std::vector<Left> left() const;
    // Forgets everything: from now on it belongs to `run`, at most kRunBytes of text.
    void begin(std::string_view run);

    // Puts `entry` down behind the others; `from` is at most the index that it will have. Keeps
    // nothing while an earlier entry that was not kept is unsettled: what is found later has no
    // gap. Cost: a copy.
    Slot keep(std::uint64_t from, std::string_view entry);
    // Its fate is known: it is on disk, or was refused.
    void settle(const Slot& slot);
    // Removes the file; nothing must be unsettled.
    void remove();

    static constexpr std::size_t kRunBytes = 48;
    // As much as gathers while two syncs are under way; beyond it callers wait for the disk.
    static constexpr std::size_t kAreaBytes = 512 << 10;

  private:
    struct Head;
    struct Area;
    Accepted(std::filesystem::path path, char* memory) : path_(std::move(path)), memory_(memory) {}
    Area& area(std::uint32_t number) const;
    Head& head(const Slot& slot) const;

    std::filesystem::path path_;
    char* memory_;
    std::uint64_t generation_ = 0;  // of the newest area
    std::uint32_t current_ = 0;
    std::size_t used_ = kAreaBytes;           // of the current area: full until begin()
    std::array<std::size_t, 2> unsettled_{};  // kept entries, by area
    std::size_t holes_ = 0;                   // unsettled entries that were not kept
};

}  // namespace writ::ledger

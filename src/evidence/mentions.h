// What a check remembers of every id in a log: who has it, who names it as a cause, which calls
// were permitted and ended. Each is a record of 16 bytes (a fingerprint, the entry and what it is)
// in one of 256 piles by fingerprint; full blocks of a pile go to an unnamed temporary file, and at
// the end one pile after another is sorted and looked through. So memory does not grow with the log
// (0.1 % of the records' bytes stay, as the places of blocks); the file has 30 to 50 bytes an
// event.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evidence/files.h"
#include "evidence/fingerprints.h"

namespace writ::evidence {

class Mentions {
  public:
    enum class Wrong : std::uint8_t {
        kSecondId,         // an earlier event has the id
        kUnknownCause,     // no earlier event has it
        kSecondPermit,     // of the same call and attempt
        kEndBeforePermit,  // ended, and no earlier decision permits it
        kSecondEnd,
    };
    struct Found {
        std::uint64_t index = 0;
        std::uint64_t fingerprint = 0;  // of the id or call that is wrong
        Wrong what{};
        auto operator<=>(const Found&) const = default;
    };

    // With `from_start` false the log's beginning is gone: a cause is wrong only if its event comes
    // later. `blocks_held` of 16 KiB stay in memory before a file is begun; where none can be made
    // or written, the rest stays in memory too.
    explicit Mentions(bool from_start = true, std::size_t blocks_held = 1024)
        : from_start_(from_start), blocks_held_(blocks_held) {}

    // In the order of the log; the causes of an event before its id.
    void cause(std::uint64_t index, std::string_view id);
    void id(std::uint64_t index, std::string_view id);
    void permit(std::uint64_t index, std::string_view call);
    // `needs_permit`: its decision must be in what was read.
    void end(std::uint64_t index, std::string_view call, bool needs_permit);

    // Everything that is wrong: the first `found_max` in the order of the log, and how many more.
    // Errors: kIo (the file cannot be read back). Nothing may be added afterwards.
    struct Answer {
        std::vector<Found> found;
        std::uint64_t more = 0;
    };
    Result<Answer> finish(std::size_t found_max);
    std::uint64_t fingerprint_of_id(std::string_view id) const { return key_.of(kIds, id); }
    // Bytes in the temporary file; 0: there is none.
    std::uint64_t spilled_bytes() const { return file_blocks_ * kBlockBytes; }

  private:
    enum Domain : std::uint8_t { kIds, kCalls };
    // In this order where one entry has several.
    enum Kind : std::uint8_t { kCause, kId, kPermit, kEnd, kLateEnd };
    struct Record {
        std::uint64_t fingerprint, place;  // place: index · 8 + kind
        auto operator<=>(const Record&) const = default;
    };
    static constexpr std::size_t kBlockBytes = 16 << 10;
    static constexpr std::size_t kBlockRecords = kBlockBytes / sizeof(Record);
    static constexpr std::size_t kPiles = 256;
    static constexpr std::size_t kRecent = 1 << 16;
    using Block = std::array<Record, kBlockRecords>;
    struct Pile {
        std::unique_ptr<Block> open;
        std::size_t size = 0;  // of the open block
        std::vector<std::unique_ptr<Block>> held;
        std::vector<std::uint32_t> in_file;  // numbers of blocks
    };

    void add(std::uint64_t index, Kind kind, std::uint64_t fingerprint);
    void put_away(Pile& pile);
    bool spill(const Block& block);
    Status gather(Pile& pile, std::vector<Record>& out) const;
    template <class Each>
    void look_through(const std::vector<Record>& records, Each each) const;

    const bool from_start_;
    const std::size_t blocks_held_;
    FingerprintKey key_;
    // OPTIMIZATION: most causes name an event just before; found here they need no record.
    std::vector<std::uint64_t> recent_ = std::vector<std::uint64_t>(kRecent);
    std::array<Pile, kPiles> piles_;
    std::size_t held_ = 0;
    Fd file_;
    bool no_file_ = false;
    std::uint64_t file_blocks_ = 0;
};

}  // namespace writ::evidence

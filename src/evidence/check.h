// The checks behind `writ evidence verify` that need to know what an event is, fed leaf by leaf in
// the order of the log. docs/spec/evidence/README.md, section 4, is the list.
//
// Memory: 10 to 20 bytes an event and as much for each permit and each end of a call (fingerprints
// of ids), and a few hundred bytes for each session that is open at one time. Measured: 61 MB for a
// log of a million events, 406 MB for one of ten million (the peak is where the table grows).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "evidence/fingerprints.h"
#include "evidence/leaf.h"
#include "evidence/trail.h"

namespace writ::evidence {

// Findings kept; the rest are only counted, so that a forged log cannot fill the memory.
inline constexpr std::size_t kMaxFindings = 1000;

class Checker {
  public:
    void feed(std::uint64_t index, std::string_view bytes);
    // What can only be said at the end: holes that no gap explains, chains without a seal.
    CheckReport finish();
    std::size_t memory_bytes() const { return seen_.memory_bytes(); }

  private:
    struct Chain {
        std::uint64_t next = 0;
        Sha256 prev{};
        std::uint64_t seen = 0, calls = 0, denied = 0;
        bool session = false;
    };
    struct Emitter {
        std::uint64_t next = 0;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;     // [from, to]
        std::vector<std::pair<std::uint64_t, std::uint64_t>> declared;  // by evidence.gap
        std::uint64_t at = 0;                                           // index of the newest event
        std::int64_t t_us = 0;                                          // of the newest event
    };
    // A place where a chain does not link; excused if the emitter lost an event there.
    struct Break {
        std::uint64_t index = 0;
        std::string what;
        std::string emitter;
        std::uint64_t before = 0;  // the emitter's sequence number
    };
    // What `seen_` remembers.
    enum Seen : std::uint8_t { kId, kPermit, kEnd, kSealed };

    void check_emitter(std::uint64_t index, const Leaf& leaf);
    void check_chain(std::uint64_t index, const Leaf& leaf, std::string_view bytes);
    void check_seal(std::uint64_t index, const Leaf& leaf, Chain& chain);
    void check_causes(std::uint64_t index, const Leaf& leaf);
    void check_call(std::uint64_t index, const Leaf& leaf);
    void finding(std::uint64_t index, std::string_view what);
    static std::string key(const Leaf& leaf);

    CheckReport report_;
    std::size_t unsaid_ = 0;
    Fingerprints seen_;
    std::map<std::string, Emitter, std::less<>> emitters_;  // by id and boot
    std::unordered_map<std::string, Chain> chains_;         // those that are not sealed
    std::vector<Break> breaks_;                             // at most kMaxFindings
    std::string tenant_;
};

}  // namespace writ::evidence

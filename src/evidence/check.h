// The checks behind `writ evidence verify` that need to know what an event is, fed leaf by leaf in
// the order of the log. docs/spec/evidence/README.md, section 4, is the list.
//
// Memory: a fixed part (mentions.h), 10 to 20 bytes a sealed session, and a few hundred bytes for
// each session that is open at one time.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "evidence/fingerprints.h"
#include "evidence/leaf.h"
#include "evidence/mentions.h"
#include "evidence/trail.h"

namespace writ::evidence {

// Findings kept; the rest are only counted, so that a forged log cannot fill the memory.
inline constexpr std::size_t kMaxFindings = 1000;

class Checker {
  public:
    // `from_start` is false when the log's beginning was pruned: chains and sequences that began
    // before are taken up where they are, and what may have stood there is not missed.
    explicit Checker(bool from_start = true) : from_start_(from_start), mentions_(from_start) {}
    // `leaf`: its leaf hash.
    void feed(std::uint64_t index, std::string_view bytes, const Sha256& leaf);
    // What can only be said at the end: ids that occur twice, causes that are not there, calls
    // without a permit, holes that no gap explains. `entry` reads one again, for what is said.
    using ReadAgain = std::function<std::string(std::uint64_t index)>;
    CheckReport finish(const ReadAgain& entry);

  private:
    struct Chain {
        std::uint64_t next = 0;
        Sha256 prev{};
        std::uint64_t seen = 0, calls = 0, denied = 0;
        bool session = false, whole = true;  // not whole: it began in what is pruned
    };
    struct Emitter {
        std::uint64_t next = 0;
        bool begun = false;
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
    void check_emitter(std::uint64_t index, const Leaf& leaf);
    // Whether the chain is here from its beginning.
    bool check_chain(std::uint64_t index, const Leaf& leaf, const Sha256& hash);
    void check_seal(std::uint64_t index, const Leaf& leaf, Chain& chain);
    void check_call(std::uint64_t index, const Leaf& leaf, bool whole);
    void say(const Mentions::Found& found, const ReadAgain& entry);
    void finding(std::uint64_t index, std::string_view what);
    // Looks chains up without making a string of their names.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };

    const bool from_start_;
    CheckReport report_;
    std::size_t unsaid_ = 0;
    Mentions mentions_;
    Fingerprints sealed_;                                   // ids of sessions
    std::map<std::string, Emitter, std::less<>> emitters_;  // by id and boot
    Emitter* emitter_ = nullptr;  // of the event before, mostly of this one too; in emitters_
    std::string emitter_key_;     // its key
    std::string key_, call_;      // of the event's emitter, of its call; used again
    std::unordered_map<std::string, Chain, TextHash, std::equal_to<>> chains_;  // not sealed
    std::vector<Break> breaks_;  // at most kMaxFindings
    std::string tenant_;
};

}  // namespace writ::evidence

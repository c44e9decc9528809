// The checks behind `writ evidence verify` that need to know what an event is, fed leaf by leaf in
// the order of the log. docs/spec/evidence/README.md, section 4, is the list.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
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

  private:
    struct Chain {
        std::uint64_t next = 0;
        Sha256 prev{};
        std::uint64_t seen = 0, calls = 0, denied = 0;
        bool session = false, sealed = false;
    };
    struct Emitter {
        std::uint64_t next = 0;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;     // [from, to]
        std::vector<std::pair<std::uint64_t, std::uint64_t>> declared;  // by evidence.gap
        std::uint64_t at = 0;                                           // index of the newest event
    };
    // A place where a chain does not link; excused if the emitter lost an event there.
    struct Break {
        std::uint64_t index = 0;
        std::string what;
        std::string emitter;
        std::uint64_t before = 0;  // the emitter's sequence number
    };
    struct Call {
        std::uint32_t permits = 0, ends = 0;
    };

    void check_emitter(std::uint64_t index, const Leaf& leaf);
    void check_chain(std::uint64_t index, const Leaf& leaf, std::string_view bytes);
    void check_seal(std::uint64_t index, const Leaf& leaf, Chain& chain);
    void check_causes(std::uint64_t index, const Leaf& leaf);
    void check_call(std::uint64_t index, const Leaf& leaf);
    void finding(std::uint64_t index, std::string_view what);
    static std::string key(const Leaf& leaf);

    CheckReport report_;
    std::size_t unsaid_ = 0;
    std::unordered_set<Uuid, UuidHash> ids_;
    std::map<std::string, Emitter, std::less<>> emitters_;  // by id and boot
    std::unordered_map<std::string, Chain> chains_;
    std::unordered_map<std::string, Call> calls_;  // by call and attempt
    std::vector<Break> breaks_;
    std::string tenant_;
};

}  // namespace writ::evidence

// Globs over resource uris, as domain rules write them. They match the whole uri, byte by byte and
// case-sensitively:
//
//   *     any text without `/`, also none       file:///a/*      matches file:///a/b, not /a/b/c
//   **    any text, `/` included                file:///a/**.md  matches file:///a/b/c.md
//   /**   before `/` or at the end: any depth,  file:///a/**     matches file:///a and all below
//         also none                             file:///a/**/c   matches file:///a/c, /a/b/c
//
// Everything else is itself. Matching costs at most |uri| x |glob| steps whatever the input: the
// states of an automaton are carried along, nothing backtracks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::catalog {

inline constexpr std::size_t kMaxGlobBytes = 1024;

class Glob {
  public:
    // Errors: kInvalid with what to write instead: `***`, brackets and braces of other dialects, a
    // path that no canonical uri has (`..`, `//`, a slash at the end).
    static Result<Glob> parse(std::string_view pattern);
    bool matches(std::string_view uri) const;

  private:
    enum class Op : std::uint8_t {
        kByte,  // the byte itself
        kStar,  // any bytes but `/`
        kAny,   // any bytes
        kMaybe  // the two steps after this one, or neither
    };
    struct Step {
        Op op;
        char byte;
    };
    void compile(std::string_view pattern);
    void reach(std::vector<bool>& states, std::size_t at) const;

    std::string prefix_;  // literal bytes before the first star, compared at once
    std::vector<Step> steps_;
};

}  // namespace writ::catalog

// A compiled `like` pattern: the literal pieces between its wildcards.
//
// Matching is on bytes. In valid UTF-8 that gives the same answer as on Unicode scalar values: a
// piece can only be found where its first character begins.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace writ::cedar {

class Pattern {
  public:
    // `wildcards`: ascending offsets in `text` before which a wildcard stands.
    Pattern(std::string_view text, const std::vector<std::size_t>& wildcards);
    // Case-sensitive, no normalization. Cost: O(text * longest piece) at worst, no backtracking.
    bool matches(std::string_view text) const;
    // The literal pieces; between any two stands one wildcard. Never empty.
    const std::vector<std::string>& pieces() const { return pieces_; }

  private:
    std::vector<std::string> pieces_;
};

}  // namespace writ::cedar

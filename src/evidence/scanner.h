// Asks in one pass whether any of many patterns occurs in a text at all: vectorscan, which is an
// order of magnitude faster on ordinary payloads than the automaton of RE2. It only says yes or no;
// where, and how much, is RE2's to say.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace writ::evidence {

class Scanner {
  public:
    // Null where vectorscan does not take one of the patterns or this processor: RE2 then does all.
    static std::unique_ptr<const Scanner> make(const std::vector<std::string>& patterns);
    virtual ~Scanner() = default;

    // Whether the two engines read the patterns alike in this text: ASCII (RE2 folds case by
    // Unicode) and without vertical tabs (white space only to vectorscan).
    static bool takes(std::string_view text);
    // True whenever RE2 would find one of the patterns in a text that takes() accepts, and when the
    // scan fails. Thread: any.
    virtual bool finds(std::string_view text) const = 0;
};

}  // namespace writ::evidence

// Which logs and witnesses are trusted, and how many witnesses must have cosigned: a policy file in
// the syntax of c2sp.org/tlog-policy. The log submits to the witnesses that have a URL.
//
//   log <vkey> [<url>]
//   witness <name> <vkey> [<url>]
//   group <name> <k|all|any> <member>…
//   quorum <name|none>
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ledger/note.h"

namespace writ::ledger {

// Of each kind in one policy; the specification asks for at least 32.
inline constexpr std::size_t kMaxPolicyItems = 64;
inline constexpr std::size_t kMaxPolicyBytes = 256 << 10;

class TrustPolicy {
  public:
    struct Log {
        NoteVerifier key;
        std::string url;  // may be empty
    };
    struct Witness {
        std::string name;  // in the policy; the key has its own
        NoteVerifier key;
        std::string url;  // submission prefix; may be empty
    };

    // `file` stands for the text in messages. Errors: kInvalid with file and line, kTooLarge.
    static Result<TrustPolicy> parse(std::string_view text, std::string file);

    const std::vector<Log>& logs() const { return logs_; }
    const std::vector<Witness>& witnesses() const { return witnesses_; }
    bool needs_witnesses() const { return !quorum_.empty(); }
    // The quorum line's name, `none` when no cosignature is needed.
    std::string quorum() const { return quorum_.empty() ? "none" : quorum_; }

    // What the witnesses say about a checkpoint's text.
    struct Verdict {
        bool quorum = false;
        std::vector<std::string> cosigned;  // names in the policy, in its order
        std::int64_t oldest_s = 0;          // of the cosignatures; 0 when there is none
        std::vector<NoteSignature> lines;   // one valid cosignature of each
    };
    // Errors: kCorrupt (a cosignature of a known witness does not verify: that sinks the note).
    Result<Verdict> judge(std::string_view text,
                          const std::vector<NoteSignature>& signatures) const;

  private:
    // A witness (its own threshold 1 and no members) or a group. Members come before it.
    struct Item {
        std::string name;
        std::size_t threshold = 1;
        std::vector<std::size_t> members;
        bool grouped = false;  // a member of some group already
    };
    class Parser;

    std::vector<Log> logs_;
    std::vector<Witness> witnesses_;
    std::vector<Item> items_;
    std::vector<std::size_t> witness_items_;  // of witnesses_
    std::string quorum_;                      // empty: none
    std::size_t quorum_item_ = 0;
};

}  // namespace writ::ledger

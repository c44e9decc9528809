// A proof that one entry is in a log, in a file of its own (c2sp.org/tlog-proof, `.tlog-proof`):
//
//   c2sp.org/tlog-proof@v1
//   [extra <base64>]
//   index <i>
//   <base64 hash>…
//   (empty line)
//   <checkpoint>
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "ledger/policy.h"

namespace writ::ledger {

struct ProofFile {
    Bytes extra;  // nobody vouches for it
    std::uint64_t index = 0;
    std::vector<Sha256> path;
    std::string checkpoint;  // the note

    std::string text() const;
    // Errors: kCorrupt (form), kTooLarge.
    static Result<ProofFile> parse(std::string_view text);
    // Whether `entry` is what the log of `log` holds at index. With `policy` its quorum must have
    // cosigned the checkpoint. Errors: kCorrupt says what does not hold.
    Status check(std::string_view entry, const NoteVerifier& log,
                 const TrustPolicy* policy = nullptr) const;
};

}  // namespace writ::ledger

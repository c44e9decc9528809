// The log's side of witnessing (c2sp.org/tlog-witness): submits checkpoints with the consistency
// proof from what each witness saw last, and believes no answer that is not signed. Inner header of
// the room; one thread uses it, and one more a witness while a round lasts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "ledger/ledger.h"
#include "ledger/prover.h"
#include "ledger/release.h"

namespace writ::ledger {

class Cosigner {
  public:
    // `prove` gives a consistency path. `log` is the log's own key.
    using Prove =
        std::function<Result<std::vector<Sha256>>(std::uint64_t old_size, std::uint64_t size)>;
    Cosigner(Witnessing witnessing, NoteVerifier log, Prove prove);

    struct Round {
        std::vector<NoteSignature> lines;  // cosignatures that verify
        // Set when a checkpoint that this log has signed contradicts it: it was rolled back or
        // forked, and must not sign again.
        std::optional<Error> contradiction;
    };
    // Asks every witness that has a URL, at the same time. As long as the slowest answer, which the
    // client bounds.
    Round ask(const SignedCheckpoint& checkpoint);
    // Thread: any.
    std::vector<WitnessHealth> health() const;

  private:
    struct Known {
        std::uint64_t size = 0;  // that the witness saw last, as far as it told
        WitnessHealth health;
    };
    struct Told {
        std::vector<NoteSignature> lines;
        std::optional<Error> contradiction;
    };

    Told submit(std::size_t i, const SignedCheckpoint& checkpoint);
    Result<WitnessReply> post(std::size_t i, std::uint64_t old_size,
                              const SignedCheckpoint& checkpoint) const;
    std::optional<Error> contradicted(std::size_t i, const SignedCheckpoint& checkpoint) const;
    void note(std::size_t i, const std::function<void(Known&)>& change);

    const Witnessing witnessing_;
    const NoteVerifier log_;
    const Prove prove_;
    std::string origin_hash_;
    mutable std::mutex mutex_;  // guards known_
    std::vector<Known> known_;  // as the policy's witnesses
};

}  // namespace writ::ledger

// Which signed checkpoint readers get: at once, or when the witnesses' quorum has confirmed it.
// Inner header of the room.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ledger/kept_file.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

namespace writ::ledger {

// A checkpoint as the log signed it.
struct SignedCheckpoint {
    std::uint64_t size = 0;
    Sha256 root{};
    std::string text;  // of the note
    std::string note;  // with the log's own signature
};

class Release {
  public:
    using Now = std::chrono::steady_clock::time_point;

    // `file` is the checkpoint that readers get; without `witnessing` every checkpoint goes there
    // at once.
    Release(std::filesystem::path file, std::optional<Witnessing> witnessing, Disk& disk)
        : file_(std::move(file), 0644, disk), witnessing_(std::move(witnessing)) {}

    // The checkpoint that an earlier run left for readers.
    void found(std::uint64_t size, std::size_t lines);
    // The log has signed: its state is on the disk already. Errors: kIo, kUnavailable.
    Status offer(SignedCheckpoint checkpoint, Now now);
    // What the witnesses answered for `checkpoint`, which was offered before. Errors: kCorrupt (a
    // cosignature does not verify), those of the disk.
    Status cosigned(const SignedCheckpoint& checkpoint, const std::vector<NoteSignature>& lines,
                    Now now);
    // Time passed: under kPublish what waits longer than the grace goes out as it is.
    Status tick(Now now);

    // The newest one offered, for the witnesses.
    std::optional<SignedCheckpoint> newest() const;
    // For how long the quorum has been missing beyond the grace; zero when it is not.
    std::chrono::milliseconds overdue(Now now) const;
    KeptFile& file() { return file_; }
    std::uint64_t released_size() const;
    std::uint64_t witnessed_size() const;

  private:
    Status write(const SignedCheckpoint& checkpoint, const std::vector<NoteSignature>& lines);
    bool waits() const { return witnessing_ && witnessing_->policy->needs_witnesses(); }
    std::chrono::milliseconds grace() const {
        return std::chrono::milliseconds(witnessing_->grace_ms);
    }

    KeptFile file_;
    const std::optional<Witnessing> witnessing_;
    mutable std::mutex mutex_;  // guards everything below; held while the file is replaced, so that
                                // readers never see the log go back
    std::optional<SignedCheckpoint> newest_;
    std::optional<Now> missing_since_;  // the newest was not confirmed since then
    std::uint64_t released_ = 0, witnessed_ = 0;
    std::size_t released_lines_ = 0;
};

}  // namespace writ::ledger

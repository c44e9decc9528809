// A witness of other people's logs (c2sp.org/tlog-witness): remembers the newest checkpoint of each
// and cosigns only what is consistent with it, so that a log which cuts, rewrites or forks its past
// finds nobody to confirm it. What is here is the whole witness but for HTTP.
//
//   <dir>/lock                              flock: one process
//   <dir>/<hex SHA-256(origin)>.checkpoint  the newest cosigned checkpoint of a log
//
// A checkpoint is on the disk before its cosignature leaves. A cosignature never carries an earlier
// time than one given before, whatever the clock does.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "crypto/sign.h"
#include "ledger/file.h"
#include "ledger/note.h"

namespace writ::ledger {

// A submission: 63 hashes and a checkpoint with a dozen signatures fit ten times.
inline constexpr std::size_t kMaxSubmissionBytes = 64 << 10;
inline constexpr std::size_t kMaxWitnessedLogs = 10'000;

struct WitnessOptions {
    std::filesystem::path dir;
    std::string name;  // of the key
    // Submissions of one log: a burst, then so many a second. Each may cost a sync of the disk.
    double burst = 60;
    double per_s = 10;
};

struct WitnessAnswer {
    int status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
};

class Witness {
  public:
    // Errors: kConflict (another process), kInvalid (name), kCorrupt (a kept checkpoint is not ours
    // or does not verify: restore it; without it the witness could confirm a fork), kIo.
    static Result<std::unique_ptr<Witness>> open(WitnessOptions options, crypto::Ed25519Key key,
                                                 const Clock& clock, Disk& disk = system_disk());
    std::string vkey() const {
        return make_vkey(options_.name, key_.public_key(), KeyRole::kWitness);
    }

    // Replaces the logs that are witnessed; a log may have several keys. Errors: kInvalid.
    Status set_logs(const std::vector<std::string>& vkeys);
    // The lines of a file of log keys: a vkey each, `#` begins a comment. Errors: kInvalid (line).
    static Result<std::vector<std::string>> parse_logs(std::string_view text, std::string file);

    // `POST add-checkpoint`. Blocks on the disk. Thread: any.
    WitnessAnswer add_checkpoint(std::string_view body);
    // `GET <hex SHA-256(origin)>/checkpoint`, for monitors: 200 or 404.
    WitnessAnswer checkpoint(std::string_view origin_hash) const;

    struct Seen {
        std::string origin;
        std::uint64_t size = 0;
        std::int64_t time_s = 0;
    };
    std::vector<Seen> seen() const;

  private:
    struct State {
        std::uint64_t size = 0;
        Sha256 root{};
        std::int64_t time_s = 0;
        std::string note;
    };
    struct Bucket {
        double tokens = 0;
        std::int64_t at_us = 0;
    };
    struct Log {
        std::vector<NoteVerifier> keys;
        std::optional<State> state;
        Bucket bucket;
    };
    struct Submission;

    Witness(WitnessOptions options, crypto::Ed25519Key key, const Clock& clock, Disk& disk)
        : options_(std::move(options)), key_(std::move(key)), clock_(clock), disk_(disk) {}
    std::filesystem::path file_of(std::string_view origin) const;
    Result<std::optional<State>> load(const std::string& origin) const;
    bool take_token(Bucket& bucket) const;
    WitnessAnswer judge(const Submission& submission, Log& log);
    WitnessAnswer accept(const Submission& submission, Log& log);

    const WitnessOptions options_;
    const crypto::Ed25519Key key_;
    const Clock& clock_;
    Disk& disk_;
    File lock_;
    // Guards everything below. Held across check, sync and answer: they are one step.
    mutable std::mutex mutex_;
    std::map<std::string, Log, std::less<>> logs_;           // by origin
    std::map<std::string, std::string, std::less<>> names_;  // origin by its hash
    std::int64_t last_s_ = 0;                                // the latest time signed
};

}  // namespace writ::ledger

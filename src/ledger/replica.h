// A verified copy of somebody's published log: entries come from a source, every hash is computed
// here, and the copy's checkpoint moves only when the source's signed root has been reproduced. The
// second copy beside a log and `writ evidence fetch` are this.
//
// What the source has pruned comes as hashes only, and the copy has the same minimum index then.
//
// It may stop anywhere: bundles that are in the folder already are read from there, and what is
// wrong in them shows in the root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "ledger/file.h"
#include "ledger/note.h"
#include "ledger/tree.h"

namespace writ::ledger {

// Where the copy comes from: paths as under a log's prefix, `checkpoint`, `tile/entries/000`.
class LogSource {
  public:
    virtual ~LogSource() = default;
    // Errors: kNotFound, kTooLarge, those of the way.
    virtual Result<std::string> get(const std::string& path, std::size_t bytes_max) = 0;
};

// A log in a folder.
class FolderSource final : public LogSource {
  public:
    explicit FolderSource(std::filesystem::path dir) : dir_(std::move(dir)) {}
    Result<std::string> get(const std::string& path, std::size_t bytes_max) override;

  private:
    std::filesystem::path dir_;
};

class Replica {
  public:
    // Takes up the copy in `dir` (made if it is missing), which must be of the log of `vkey`.
    // Errors: kInvalid (the key), kConflict (another log's copy), kCorrupt (the copy does not
    // verify: remove it), kIo.
    static Result<Replica> open(std::filesystem::path dir, const std::string& vkey,
                                Disk& disk = system_disk());
    std::uint64_t size() const { return size_; }

    // False stops the update; what is there stays.
    using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
    // Brings the copy up to the source's checkpoint. Errors: kCorrupt (the source's log does not
    // verify, or went back: the copy stays as it was), kCancelled (stopped), those of the source
    // and the disk.
    Status update(LogSource& source, const Progress& progress = {});

  private:
    Replica(std::filesystem::path dir, NoteVerifier key, Disk& disk)
        : dir_(std::move(dir)), key_(std::move(key)), disk_(&disk) {}
    Status load();
    Status take_bundle(LogSource& source, std::uint64_t n, unsigned width);
    Result<std::string> bundle_bytes(LogSource& source, std::uint64_t n, unsigned width);
    Status take_pruned(LogSource& source, std::uint64_t n);
    Status add(const Sha256& leaf);
    Status write_file(const std::string& path, std::string_view bytes);
    Status write_edge();
    Status sync();

    std::filesystem::path dir_;
    NoteVerifier key_;
    Disk* disk_;
    std::uint64_t size_ = 0;  // of the copy's checkpoint
    Sha256 root_{};
    CompactTree tree_;               // of the whole bundles taken
    std::vector<std::string> rows_;  // per level: the hashes of its unfinished tile
    std::vector<File> unsynced_;     // written, not synced; few, else sync_all_
    std::set<std::filesystem::path> unsynced_dirs_;
    bool sync_all_ = false;
    Status failed_;
};

}  // namespace writ::ledger

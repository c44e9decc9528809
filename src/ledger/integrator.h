// Brings the published log up to the write-ahead log: hands what became durable to the publisher,
// from memory as long as it is held there, and else from the log's files. It signs what was
// acknowledged: where a file was altered meanwhile, the next start, or its check, refuses. After an
// error it begins again from the last signed state. Inner header of the room; one thread uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "ledger/publisher.h"
#include "ledger/segment.h"

namespace writ::ledger {

// Consecutive entries that became durable lately. Only their hashes are kept where the entries are
// too many, and nothing of what comes after a hole.
class Fresh {
  public:
    void add(std::uint64_t index, std::string entry, const Sha256& leaf);
    // Null: not held.
    const std::string* entry(std::uint64_t index) const { return find(entries_, index); }
    const Sha256* leaf(std::uint64_t index) const { return find(leaves_, index); }
    std::size_t bytes() const { return bytes_; }  // of memory, in the entries

  private:
    template <class T>
    const T* find(const std::vector<T>& of, std::uint64_t index) const {
        return index >= first_ && index - first_ < of.size() ? &of[index - first_] : nullptr;
    }

    std::uint64_t first_ = 0;
    std::vector<Sha256> leaves_;
    std::vector<std::string> entries_;  // of the first leaves
    std::size_t bytes_ = 0;
};

class Integrator {
  public:
    Integrator(PublisherOptions options, std::filesystem::path wal_dir,
               const crypto::Ed25519Key& key, Disk& disk)
        : options_(std::move(options)), wal_dir_(std::move(wal_dir)), key_(key), disk_(disk) {}

    // Reads the signed state, unless that was done. Errors: Publisher::open()'s.
    Status resume();
    // After resume(): the first entry that will be read, and the size that must be there.
    std::uint64_t reads_from() const { return publisher_->size(); }
    std::uint64_t signed_size() const { return publisher_->signed_size(); }
    // Puts the first `to` entries, all durable, into bundles and tiles that are signed later.
    // `fresh` saves reading and hashing what it holds, and holds what was acknowledged against
    // whoever alters the files meanwhile. Errors: kUnavailable and kIo may pass; kCorrupt does not
    // (the entries differ from what was signed).
    Status take(std::uint64_t to, const Fresh& fresh = {});
    // The same, and signs; with nothing new it renews the checkpoint.
    Status publish(std::uint64_t to, const Fresh& fresh = {});

  private:
    Status try_take(std::uint64_t to, const Fresh& fresh);
    Status read(std::uint64_t to, const Fresh& fresh);
    Status begin_again_unless(Status done);

    const PublisherOptions options_;
    const std::filesystem::path wal_dir_;
    const crypto::Ed25519Key& key_;
    Disk& disk_;
    std::optional<Publisher> publisher_;
    std::optional<WalReader> reader_;
};

}  // namespace writ::ledger

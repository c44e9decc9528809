// Brings the published log up to the write-ahead log: reads what became durable back from its files
// and hands it to the publisher. It signs what was acknowledged: where a file was altered
// meanwhile, the bundle does not fit its tile and the next start, or its check, refuses. After an
// error it begins again from the last signed state. Inner header of the room; one thread uses it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/error.h"
#include "ledger/publisher.h"
#include "ledger/segment.h"

namespace writ::ledger {

// Leaf hashes of consecutive entries, the first of them that of entry `first`.
struct KnownLeaves {
    std::uint64_t first = 0;
    std::vector<Sha256> hashes;

    // Null: not known.
    const Sha256* find(std::uint64_t index) const {
        return index >= first && index - first < hashes.size() ? &hashes[index - first] : nullptr;
    }
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
    // Publishes the first `to` entries, all durable; with nothing new it renews the checkpoint.
    // `known`: hashes that were computed when entries were taken; they save computing them again,
    // and hold what was acknowledged against whoever alters the files meanwhile.
    // Errors: kUnavailable and kIo may pass; kCorrupt does not (the entries differ from what was
    // signed).
    Status publish(std::uint64_t to, const KnownLeaves& known = {});

  private:
    Status try_publish(std::uint64_t to, const KnownLeaves& known);

    const PublisherOptions options_;
    const std::filesystem::path wal_dir_;
    const crypto::Ed25519Key& key_;
    Disk& disk_;
    std::optional<Publisher> publisher_;
    std::optional<WalReader> reader_;
};

}  // namespace writ::ledger

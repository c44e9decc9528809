// Blobs on disk, appended to pack files and found again by their digest. A process appends only to
// a pack of its own, so readers and one writer need no lock between them.
// docs/spec/evidence/vault.md, section 3, has both files by offset.
//
//   packs/00000001.pack   `WRITPAK1`, then frames: `WVB1`, u32 length, 32 bytes cid, the blob
//   packs/00000001.idx    `WRITIDX1`, u64 count, then (32 bytes cid, u64 offset) sorted by cid;
//                         written when the pack is closed, and only a shortcut
//
// A torn last frame (a crash before the sync) is ignored. Integers are little-endian. Not
// thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "evidence/files.h"

namespace writ::evidence {

// Where a pack is full. Large enough for few files, small enough to read one whole.
inline constexpr std::uint64_t kPackBytes = 64 << 20;
inline constexpr std::size_t kPackBlobs = 128 << 10;
// One blob: the largest message held in memory, sealed.
inline constexpr std::size_t kMaxBlobBytes = (4 << 20) + 64;

struct DigestHash {
    std::size_t operator()(const Sha256& digest) const;
};

struct Blob {
    Sha256 cid{};
    Bytes bytes;
};

class Packs {
  public:
    explicit Packs(std::filesystem::path dir) : dir_(std::move(dir)) {}
    ~Packs() { static_cast<void>(close()); }
    Packs(const Packs&) = delete;
    Packs& operator=(const Packs&) = delete;

    // Appends `blobs` to the pack, starting one if none is open. On an error nothing of the batch
    // is kept. Errors: kIo.
    Status append(const std::vector<Blob>& blobs);
    // Makes what was appended durable. Errors: kIo.
    Status sync();
    // The open pack is full.
    bool full() const { return end_ >= kPackBytes || index_.size() >= kPackBlobs; }
    // Syncs the open pack and writes its index. Errors: kIo.
    Status close();
    // The blob, compared with its digest. Errors: kNotFound, kCorrupt, kIo.
    Result<Bytes> find(const Sha256& cid);

  private:
    using Offsets = std::unordered_map<Sha256, std::uint64_t, DigestHash>;
    struct Scanned {
        Offsets offsets;
        std::uint64_t end = 0;  // where the scan goes on if the file has grown
    };
    Status start();
    std::vector<std::uint64_t> numbers() const;
    std::filesystem::path path(std::uint64_t number, std::string_view ending) const;
    Result<std::optional<std::uint64_t>> offset_in(std::uint64_t number, const Sha256& cid);
    Result<std::optional<std::uint64_t>> scan(std::uint64_t number, const Sha256& cid);

    const std::filesystem::path dir_;
    Fd pack_;  // of the open pack
    std::uint64_t number_ = 0, end_ = 0;
    Offsets index_;
    std::map<std::uint64_t, Scanned> scanned_;  // packs without an index file
};

}  // namespace writ::evidence

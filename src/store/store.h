// Durable state behind one interface: records named by (tenant, kind, id), changed atomically with
// optional expectations, together with the index of the last ledger event whose effect they hold
// (docs/architecture.md, "State and truth"). It knows nothing of what it stores. One contract suite
// (store_contract.h) runs against every implementation.
//
// All calls block on the disk: never on an I/O thread (net::Reactor::offload). Thread: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::store {

struct Key {
    std::string tenant, kind, id;
    auto operator<=>(const Key&) const = default;
};

struct Record {
    Key key;
    std::string value;
    std::uint64_t version = 0;  // 1 when created, then +1 a change
};

// One change of a batch. `expected`: nullopt = whatever is there; 0 = must not exist; n = must be
// at version n.
struct Change {
    Key key;
    std::optional<std::string> value;  // nullopt deletes
    std::optional<std::uint64_t> expected = std::nullopt;
};

class Store {
  public:
    virtual ~Store() = default;
    virtual Result<std::optional<Record>> get(const Key& key) = 0;
    // Records of (tenant, kind) with id > `after`, in id order, at most `limit`.
    virtual Result<std::vector<Record>> list(std::string_view tenant, std::string_view kind,
                                             std::string_view after, std::size_t limit) = 0;
    // All or nothing, durable on return. With `applied`, also moves the tenant's applied event
    // index (never backwards). Errors: kConflict (an expectation failed; nothing changed), kInvalid
    // (a change of another tenant), kIo.
    virtual Status apply(std::string_view tenant, const std::vector<Change>& changes,
                         std::optional<std::uint64_t> applied = std::nullopt) = 0;
    // The tenant's applied event index; nullopt if none yet.
    virtual Result<std::optional<std::uint64_t>> applied(std::string_view tenant) = 0;
};

// The embedded default. Opens or creates `file` (SQLite, WAL, synchronous=FULL, one writer
// connection that also does every checkpoint), migrating older format versions, and keeps its lock
// until destroyed. Errors: kIo, kCorrupt, kUnsupported (a newer format), kConflict (another process
// holds it).
Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& file);

}  // namespace writ::store

// A key per subject and month, wrapped by the tenant's: so that one person's payloads can be
// shredded without anyone else's, and old ones without new ones. docs/spec/evidence/vault.md,
// section 2. Inner header of the room. Thread: any.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "evidence/vault.h"
#include "evidence/vault_keys.h"

namespace writ::evidence {

// `2026-11`.
std::string month_of(std::int64_t t_us);

// So that a map of names is asked without making a string.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>()(text);
    }
};

class SubjectKeys {
  public:
    // `dir`: the folder of keys. `tenant_keys`: those that wrap from now on.
    SubjectKeys(std::filesystem::path dir, std::string tenant, KeyRing& ring);

    // The key that seals for `owner` now; made in memory where there is none. It never touches the
    // disk: what is new waits in write_pending().
    std::shared_ptr<const VaultKeys> current(const PayloadOwner& owner);
    // Writes the files of new keys, durably. Before any blob under them. Errors: kIo; they stay
    // pending.
    Status write_pending();
    // Errors: kForbidden (no such key: shredded), kCorrupt, kIo.
    Result<std::shared_ptr<const VaultKeys>> find(std::string_view kid);

    // Keys of `subject` in months before `before` (`2026-11`; empty: all).
    Result<Shredding> plan(std::string_view subject, std::string_view before) const;
    // Forgets and deletes them. Errors: kIo (some may be gone; ask again).
    Status shred(std::string_view subject, const Shredding& plan);

  private:
    struct Pending {
        std::filesystem::path file;
        Bytes content;
    };
    struct Owned {
        std::string month;
        std::shared_ptr<const VaultKeys> keys;
    };
    struct Day {
        std::int64_t number = 0;  // since 1970
        std::string month = {};   // it lies in
    };
    std::string tag(std::string_view subject) const;
    // With the name of the tenant's key that wraps it.
    struct Loaded {
        std::shared_ptr<const VaultKeys> keys;
        std::string tenant_kid;
    };
    Result<Loaded> load(const std::filesystem::path& file, std::string_view kid);
    std::filesystem::path find_file(std::string_view kid);

    const std::filesystem::path dir_;
    const std::string tenant_;
    KeyRing& ring_;
    mutable std::mutex disk_;   // held while key files are written or deleted; before mutex_
    mutable std::mutex mutex_;  // guards everything below; not held while the disk is touched
    std::unordered_map<std::string, Owned, TextHash, std::equal_to<>> current_;  // by subject
    Day day_;  // asked for last; no month: none
    std::vector<Pending> pending_;
    std::map<std::string, std::shared_ptr<const VaultKeys>, std::less<>> unwritten_;  // by kid
    std::map<std::string, Loaded, std::less<>> loaded_;                               // by kid
    std::map<std::string, std::filesystem::path, std::less<>> files_;                 // by kid
};

}  // namespace writ::evidence

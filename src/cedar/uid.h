// Entity uids with their hash, computed once where the uid is made: every table of the engine is
// probed by it and most unequal uids are told apart by it. The seed is drawn per process, so that
// ids chosen by a stranger cannot be made to collide. Hashes never leave the process.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "cedar/cedar.h"

namespace writ::cedar {

std::uint64_t hash_text(std::string_view text);
std::uint64_t hash_uid(const EntityUid& uid);
// One hash out of two, order matters.
std::uint64_t hash_pair(std::uint64_t a, std::uint64_t b);

// A borrowed uid; whoever hands it out owns the EntityUid.
struct UidRef {
    std::uint64_t hash = 0;
    const EntityUid* uid = nullptr;

    bool operator==(const UidRef& other) const {
        return hash == other.hash && (uid == other.uid || *uid == *other.uid);
    }
    // By hash first: a total order within one process, not for showing.
    bool operator<(const UidRef& other) const {
        return hash != other.hash ? hash < other.hash : *uid < *other.uid;
    }
};

struct UidRefHash {
    std::size_t operator()(const UidRef& ref) const { return ref.hash; }
};

// An owned uid.
struct Uid {
    EntityUid uid;
    std::uint64_t hash = 0;

    Uid() = default;
    explicit Uid(EntityUid of) : uid(std::move(of)), hash(hash_uid(uid)) {}
    UidRef ref() const { return {hash, &uid}; }
    bool operator==(const Uid& other) const { return ref() == other.ref(); }
};

}  // namespace writ::cedar

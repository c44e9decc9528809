#include "json/duplicates.h"

#include <sodium.h>

#include <array>
#include <bit>
#include <vector>

namespace writ::json {

namespace {

constexpr std::size_t kPairwiseMax =
    16;  // 120 comparisons, mostly of lengths: cheaper than hashing 16 names
constexpr std::uint32_t kFree = 0;  // node 0 is the root, never a name

using HashKey = std::array<std::uint8_t, crypto_shorthash_KEYBYTES>;

// A secret of this process, so that nobody outside can choose names that collide.
const HashKey& hash_key() {
    static const HashKey key = [] {
        HashKey fresh{};
        randombytes_buf(fresh.data(), fresh.size());
        return fresh;
    }();
    return key;
}

std::uint64_t hash(std::string_view name) {
    std::array<std::uint8_t, crypto_shorthash_BYTES> out{};
    crypto_shorthash(out.data(), reinterpret_cast<const std::uint8_t*>(name.data()), name.size(),
                     hash_key().data());
    return std::bit_cast<std::uint64_t>(out);
}

std::optional<std::uint32_t> find_pairwise(const Tape& tape, std::uint32_t object) {
    std::array<std::string_view, kPairwiseMax> seen;
    std::size_t count = 0;
    std::uint32_t end = tape.nodes[object].next;
    for (std::uint32_t i = object + 1; i < end; i = tape.nodes[i + 1].next) {
        std::string_view name = tape.string_at(i);
        for (std::size_t k = 0; k < count; ++k) {
            if (seen[k] == name) return i;
        }
        seen[count++] = name;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> find_hashed(const Tape& tape, std::uint32_t object) {
    struct Slot {
        std::uint32_t node = kFree;
        std::uint32_t tag = 0;  // upper half of the hash: most different names differ here
    };
    std::vector<Slot> slots(std::bit_ceil(std::size_t{tape.nodes[object].count} * 2));
    std::size_t mask = slots.size() - 1;
    std::uint32_t end = tape.nodes[object].next;
    for (std::uint32_t i = object + 1; i < end; i = tape.nodes[i + 1].next) {
        std::string_view name = tape.string_at(i);
        std::uint64_t h = hash(name);
        auto tag = static_cast<std::uint32_t>(h >> 32);
        std::size_t at = h & mask;
        while (slots[at].node != kFree) {
            if (slots[at].tag == tag && tape.string_at(slots[at].node) == name) return i;
            at = (at + 1) & mask;
        }
        slots[at] = {i, tag};
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> find_duplicate(const Tape& tape, std::uint32_t object) {
    if (tape.nodes[object].count <= kPairwiseMax) return find_pairwise(tape, object);
    return find_hashed(tape, object);
}

}  // namespace writ::json

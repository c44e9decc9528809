// The Merkle tree of RFC 6962 as a verifier needs it: hashes, a root from leaves in order, and the
// two kinds of proof. Written from the RFC; shares nothing with the program that writes the log.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace writ::verify {

using Hash = std::array<unsigned char, 32>;

Hash hash_of(std::string_view bytes);
Hash leaf_hash(std::string_view entry);               // SHA-256(0x00 || entry)
Hash node_hash(const Hash& left, const Hash& right);  // SHA-256(0x01 || left || right)

// A root from leaves that arrive in order, in memory that grows with the logarithm of their number.
class Accumulator {
  public:
    // Adds a leaf. `complete(level, hash)` hears every node of height 8, 16, … as it is completed.
    template <class Complete>
    void add(const Hash& leaf, Complete complete) {
        unsigned height = 0;
        Hash node = leaf;
        for (; (count_ >> height & 1) != 0; ++height) {
            node = node_hash(left_[height], node);
            if ((height + 1) % 8 == 0) complete((height + 1) / 8, node);
        }
        left_[height] = node;
        ++count_;
    }
    std::uint64_t count() const { return count_; }
    Hash root() const;

  private:
    std::uint64_t count_ = 0;
    std::array<Hash, 64>
        left_{};  // left_[h]: the complete subtree of height h, where count_ has bit h
};

// RFC 9162 section 2.1.3.2.
bool proves_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf,
                      const std::vector<Hash>& path, const Hash& root);

}  // namespace writ::verify

// A set of 64-bit keyed fingerprints: how a check remembers tens of millions of ids in a few bytes
// each. The key is random, so that nobody who writes a log can make two of their ids collide; by
// chance two of 10 million do once in 370,000 runs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace writ::evidence {

class FingerprintKey {
  public:
    FingerprintKey();
    // Never 0. `domain` keeps kinds of ids apart.
    std::uint64_t of(std::uint8_t domain, std::string_view id) const;

  private:
    std::uint64_t key_[2]{};
};

// Memory: 8 bytes a slot, between 0.4 and 0.8 full: 10 to 20 bytes an id. Not thread-safe.
class Fingerprints {
  public:
    Fingerprints();
    // False if it (or, once in 2^64, another) was there.
    bool insert(std::uint8_t domain, std::string_view id);
    bool contains(std::uint8_t domain, std::string_view id) const;
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return slots_.size() * sizeof(std::uint64_t); }

  private:
    std::size_t place(std::uint64_t hash) const;
    void grow();

    FingerprintKey key_;
    std::vector<std::uint64_t> slots_;  // 0: free
    std::size_t size_ = 0;
};

}  // namespace writ::evidence

// Two SHA-256 computations in step, for hash.cc. Inner header of the room.
//
// OPTIMIZATION: each round waits for the one before it, so that the processor's unit is idle half
// of the time with one message; two take little longer than one. No library of Debian does that
// for messages of any length, and what is added here is small: the compression is FIPS 180-4's,
// and the tests compare it with OpenSSL's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace writ::crypto {

inline constexpr std::size_t kShaBlockBytes = 64;

// Whether the processor has instructions for SHA-256; without them nothing here may be called.
bool has_sha_instructions();

// One message on its way.
class ShaLane {
  public:
    // `data` must outlive it.
    explicit ShaLane(ByteView data);
    // Goes on after `before` bytes, a multiple of kShaBlockBytes: `state` is what they led to,
    // eight words of 32 bits as the processor writes them.
    ShaLane(ByteView state, std::size_t before, ByteView data);
    ~ShaLane();
    ShaLane(const ShaLane&) = delete;
    ShaLane& operator=(const ShaLane&) = delete;

    // Both to their ends.
    static void run(ShaLane& a, ShaLane& b);
    void run();  // alone
    Sha256 digest() const;

  private:
    void passed(std::size_t blocks);
    void next_part();

    std::array<std::uint32_t, 8> state_;
    const std::uint8_t* at_;
    std::size_t blocks_;  // whole ones at `at_`
    std::size_t tail_blocks_;
    std::array<std::uint8_t, 2 * kShaBlockBytes> tail_{};  // the rest, and what is added to it
};

}  // namespace writ::crypto

// Bytes that must not leak: zeroed when freed, kept out of core dumps and swap where the system
// allows, neither printable nor copyable, compared in constant time.
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace writ {

class SecretBytes {
  public:
    SecretBytes() = default;
    // `size` zero bytes, to be filled through span().
    explicit SecretBytes(std::size_t size);
    // Copies `bytes`; wiping the source is the caller's duty.
    explicit SecretBytes(ByteView bytes);
    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes();

    static SecretBytes random(std::size_t size);

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    ByteView view() const { return {data_, size_}; }
    std::span<std::uint8_t> span() { return {data_, size_}; }
    bool equals(ByteView other) const;

  private:
    std::uint8_t* data_ = nullptr;  // from sodium_malloc
    std::size_t size_ = 0;
};

// Equal length and content, in time that depends on the length only.
bool constant_time_equal(ByteView a, ByteView b);
// `size` bytes from the kernel's generator.
Bytes random_bytes(std::size_t size);
// Fills `out` with random bits for names, which must not meet but are no keys: expanded from a seed
// of the kernel's, whose generator gives 256 bytes a call.
void fill_for_names(std::span<std::uint8_t> out);

}  // namespace writ

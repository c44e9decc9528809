#include "base/secret.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace writ {

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
    if (size == 0) return;
    WRIT_CHECK(sodium_init() >= 0);
    data_ = static_cast<std::uint8_t*>(sodium_malloc(size));
    WRIT_CHECK(data_ != nullptr);
    sodium_memzero(data_, size);
}

SecretBytes::SecretBytes(ByteView bytes) : SecretBytes(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), data_);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

SecretBytes::~SecretBytes() {
    if (data_ != nullptr) sodium_free(data_);
}

SecretBytes SecretBytes::random(std::size_t size) {
    SecretBytes out(size);
    if (size != 0) randombytes_buf(out.data_, size);
    return out;
}

bool SecretBytes::equals(ByteView other) const {
    return constant_time_equal(view(), other);
}

bool constant_time_equal(ByteView a, ByteView b) {
    return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void fill_for_names(std::span<std::uint8_t> out) {
    WRIT_CHECK(sodium_init() >= 0);
    std::array<std::uint8_t, randombytes_SEEDBYTES> seed;
    randombytes_buf(seed.data(), seed.size());
    randombytes_buf_deterministic(out.data(), out.size(), seed.data());
    sodium_memzero(seed.data(), seed.size());
}

Bytes random_bytes(std::size_t size) {
    WRIT_CHECK(sodium_init() >= 0);
    Bytes out(size);
    if (size != 0) randombytes_buf(out.data(), size);
    return out;
}

}  // namespace writ

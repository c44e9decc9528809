// Why the deprecated functions: EVP costs an initialisation of about 100 ns per message even with a
// prefetched algorithm and a reused context, and a Merkle node is two compressions of 60 ns.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace writ::crypto {

namespace {

constexpr std::size_t kBlockBytes = SHA256_CBLOCK;
constexpr std::size_t kHkdfBlocksMax = 255;  // RFC 5869 section 2.3

// One digest in the making. The state is wiped, since it may have absorbed a key.
class Hasher {
  public:
    Hasher() { SHA256_Init(&state_); }
    ~Hasher() { OPENSSL_cleanse(&state_, sizeof state_); }
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;

    Hasher& add(ByteView data) {
        SHA256_Update(&state_, data.data(), data.size());
        return *this;
    }
    Sha256 digest() {
        Sha256 out;
        SHA256_Final(out.data(), &state_);
        return out;
    }

  private:
    SHA256_CTX state_;
};

// RFC 2104: H(key ^ opad, H(key ^ ipad, data)), `data` given in up to three parts.
Sha256 hmac(ByteView key, ByteView a, ByteView b = {}, ByteView c = {}) {
    std::array<std::uint8_t, kBlockBytes> pad{};
    if (key.size() > kBlockBytes) {
        Sha256 short_key = sha256(key);
        std::copy(short_key.begin(), short_key.end(), pad.begin());
        OPENSSL_cleanse(short_key.data(), short_key.size());
    } else {
        std::copy(key.begin(), key.end(), pad.begin());
    }
    for (std::uint8_t& byte : pad) byte ^= 0x36;
    Sha256 inner = Hasher().add(pad).add(a).add(b).add(c).digest();
    for (std::uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
    Sha256 out = Hasher().add(pad).add(inner).digest();
    OPENSSL_cleanse(pad.data(), pad.size());
    OPENSSL_cleanse(inner.data(), inner.size());
    return out;
}

// A digest of what is not secret, so without the wiping.
template <class... Parts>
Sha256 digest_of(const Parts&... parts) {
    SHA256_CTX state;
    SHA256_Init(&state);
    (SHA256_Update(&state, parts.data(), parts.size()), ...);
    Sha256 out;
    SHA256_Final(out.data(), &state);
    return out;
}

}  // namespace

Sha256 sha256(ByteView data) {
    return digest_of(data);
}

Sha256 sha256(ByteView prefix, ByteView data) {
    return digest_of(prefix, data);
}

Sha256 merkle_node(const Sha256& left, const Sha256& right) {
    std::array<std::uint8_t, 65> joined;  // one update is cheaper than three
    joined[0] = 0x01;
    std::memcpy(joined.data() + 1, left.data(), left.size());
    std::memcpy(joined.data() + 33, right.data(), right.size());
    return digest_of(joined);
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
    return hmac(key, data);
}

// RFC 5869: PRK = HMAC(salt, key) with a salt of zeros; T(i) = HMAC(PRK, T(i-1) || info || i).
SecretBytes hkdf(ByteView key, std::string_view info, std::size_t size) {
    WRIT_CHECK(size <= kHkdfBlocksMax * SHA256_DIGEST_LENGTH);
    Sha256 prk = hmac(Sha256{}, key);
    SecretBytes out(size);
    Sha256 block{};
    std::size_t done = 0;
    for (std::uint8_t counter = 1; done < size; ++counter) {
        ByteView previous = counter == 1 ? ByteView() : ByteView(block);
        block = hmac(prk, previous, as_bytes(info), ByteView(&counter, 1));
        std::size_t part = std::min(block.size(), size - done);
        std::copy_n(block.begin(), part, out.span().begin() + static_cast<std::ptrdiff_t>(done));
        done += part;
    }
    OPENSSL_cleanse(prk.data(), prk.size());
    OPENSSL_cleanse(block.data(), block.size());
    return out;
}

}  // namespace writ::crypto

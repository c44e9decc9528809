// OpenSSL's low-level SHA-256: its processor instructions without the cost of a context a message
// (libsodium's is four times slower on entries of 1 KiB).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tree.h"

#include <openssl/sha.h>

#include <cstring>

namespace writ::verify {
namespace {

Hash digest(const unsigned char* prefix, std::size_t prefix_size, std::string_view bytes) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, prefix, prefix_size);
    SHA256_Update(&state, bytes.data(), bytes.size());
    Hash out;
    SHA256_Final(out.data(), &state);
    return out;
}

}  // namespace

Hash hash_of(std::string_view bytes) {
    return digest(nullptr, 0, bytes);
}

Hash leaf_hash(std::string_view entry) {
    constexpr unsigned char prefix[1] = {0};
    return digest(prefix, 1, entry);
}

Hash node_hash(const Hash& left, const Hash& right) {
    unsigned char joined[65];
    joined[0] = 1;
    std::memcpy(joined + 1, left.data(), left.size());
    std::memcpy(joined + 33, right.data(), right.size());
    return digest(joined, sizeof joined, {});
}

Hash Accumulator::root() const {
    if (count_ == 0) return hash_of({});
    Hash out{};
    bool begun = false;
    for (unsigned height = 0; height < left_.size(); ++height) {
        if ((count_ >> height & 1) == 0) continue;
        out = begun ? node_hash(left_[height], out) : left_[height];
        begun = true;
    }
    return out;
}

bool proves_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf,
                      const std::vector<Hash>& path, const Hash& root) {
    if (index >= size) return false;
    std::uint64_t fn = index;
    std::uint64_t sn = size - 1;
    Hash r = leaf;
    for (const Hash& p : path) {
        if (sn == 0) return false;
        if ((fn & 1) == 1 || fn == sn) {
            r = node_hash(p, r);
            for (; (fn & 1) == 0 && fn != 0; fn >>= 1) sn >>= 1;
        } else {
            r = node_hash(r, p);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && r == root;
}

}  // namespace writ::verify

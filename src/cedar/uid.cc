#include "cedar/uid.h"

#include <cstring>

#include "base/secret.h"
#include "cedar/escape.h"

namespace writ::cedar {
namespace {

// Multiply to 128 bits and fold: the mixing step of the wyhash family.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct Seed {
    std::uint64_t a = 0, b = 0;
};

const Seed& seed() {
    static const Seed value = [] {
        const Bytes random = random_bytes(sizeof(Seed));
        Seed drawn;
        std::memcpy(&drawn, random.data(), sizeof drawn);
        drawn.a |= 1;
        drawn.b |= 1;
        return drawn;
    }();
    return value;
}

std::uint64_t load(const char* at, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, count);
    return word;
}

}  // namespace

std::uint64_t hash_text(std::string_view text) {
    const Seed& s = seed();
    std::uint64_t h = s.a ^ text.size();
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= 8; at += 8, left -= 8) h = fold(h ^ load(at, 8), s.b);
    if (left > 0) h = fold(h ^ load(at, left), s.b);
    return fold(h ^ s.b, 0x9e3779b97f4a7c15ULL);
}

std::uint64_t hash_uid(const EntityUid& uid) {
    return hash_pair(hash_text(uid.type), hash_text(uid.id));
}

std::uint64_t hash_pair(std::uint64_t a, std::uint64_t b) {
    return fold(a ^ seed().a, b ^ 0xd6e8feb86659fd93ULL);
}

std::string EntityUid::text() const {
    return type + "::" + string_literal(id);
}

}  // namespace writ::cedar

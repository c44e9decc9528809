// Identifiers. Everything Writ mints is a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds,
// then 74 random bits, strictly rising within one generator so that ids sort by creation. Ids are
// names, never capabilities.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace writ {

struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;
    bool is_nil() const { return *this == Uuid{}; }
    static constexpr std::size_t kTextBytes = 36;
    // `01a209c1-6900-7043-aa71-8774c572bd8a`
    std::string text() const;
    // Writes it to the kTextBytes at `out`; returns their end.
    char* write_text(char* out) const;
    // Accepts exactly what text() writes, version 7 only.
    static std::optional<Uuid> parse(std::string_view text);
};

// Ids that must not be mixed up. `Tag` only tells the types apart.
template <class Tag>
struct Id : Uuid {
    Id() = default;
    explicit Id(const Uuid& u) : Uuid(u) {}
    static std::optional<Id> parse(std::string_view text) {
        const auto u = Uuid::parse(text);
        return u ? std::optional<Id>(Id(*u)) : std::nullopt;
    }
};

using TaskId = Id<struct TaskTag>;
using SessionId = Id<struct SessionTag>;
using CallId = Id<struct CallTag>;
using EventId = Id<struct EventTag>;
using BootId = Id<struct BootTag>;  // one run of one gateway process
using WritId = Id<struct WritTag>;  // `jti` of a writ

// Mints UUIDv7s from `clock` and the kernel's randomness. Thread: any (one short mutex). `clock`
// must outlive it.
class IdSource {
  public:
    explicit IdSource(const Clock& clock);
    ~IdSource();
    Uuid next();
    template <class T>
    T mint() {
        return T(next());
    }

  private:
    struct State;
    State* state_;
};

// Hash for unordered containers: the random tail is already uniform.
struct UuidHash {
    std::size_t operator()(const Uuid& u) const {
        std::uint64_t tail = 0;
        for (int i = 8; i < 16; ++i) tail = tail << 8 | u.bytes[static_cast<std::size_t>(i)];
        return static_cast<std::size_t>(tail);
    }
};

}  // namespace writ

template <class Tag>
struct std::hash<writ::Id<Tag>> : writ::UuidHash {};
template <>
struct std::hash<writ::Uuid> : writ::UuidHash {};

#include "base/ids.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace writ {

namespace {

// Of a lower-case hexadecimal digit; -1 of anything else.
constexpr auto kHexValues = [] {
    std::array<std::int8_t, 256> out{};
    out.fill(-1);
    for (int i = 0; i < 16; ++i)
        out[static_cast<std::size_t>("0123456789abcdef"[i])] = static_cast<std::int8_t>(i);
    return out;
}();
int hex_value(char c) {
    return kHexValues[static_cast<unsigned char>(c)];
}

}  // namespace

std::string Uuid::text() const {
    std::string out(36, '-');
    put(out.data());
    return out;
}

void Uuid::put(char* to) const {
    const ByteView all(bytes);
    put_hex(to, all.first(4));
    put_hex(to + 9, all.subspan(4, 2));
    put_hex(to + 14, all.subspan(6, 2));
    put_hex(to + 19, all.subspan(8, 2));
    put_hex(to + 24, all.subspan(10));
    for (const int dash : {8, 13, 18, 23}) to[dash] = '-';
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    Uuid out;
    std::size_t at = 0;
    int wrong = 0;  // negative where a character is no digit
    for (std::size_t i = 0; i < out.bytes.size(); ++i, at += 2) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (text[at++] != '-') return std::nullopt;
        }
        const int high = hex_value(text[at]), low = hex_value(text[at + 1]);
        wrong |= high | low;
        out.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (wrong < 0 || (out.bytes[6] >> 4) != 7 || (out.bytes[8] >> 6) != 2) return std::nullopt;
    return out;
}

struct IdSource::State {
    const Clock& clock;
    std::mutex mutex = {};  // guards all below: ids must rise across threads
    std::int64_t last_ms = 0;
    std::uint32_t counter = 0;  // the 12 bits of rand_a, restarted low every millisecond
    // OPTIMIZATION: one system call gives the random bits of many ids, which are names and not
    // keys.
    std::array<std::uint8_t, 4096> random{};
    std::size_t random_used = sizeof random;
};

IdSource::IdSource(const Clock& clock) : state_(new State{.clock = clock}) {
    WRIT_CHECK(sodium_init() >= 0);
}

IdSource::~IdSource() {
    delete state_;
}

Uuid IdSource::next() {
    Uuid id;
    std::int64_t ms = 0;
    std::uint32_t counter = 0;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->random_used + id.bytes.size() > state_->random.size()) {
            randombytes_buf(state_->random.data(), state_->random.size());
            state_->random_used = 0;
        }
        const auto fresh = std::span(state_->random).subspan(state_->random_used, id.bytes.size());
        std::ranges::copy(fresh, id.bytes.begin());
        state_->random_used += id.bytes.size();
        ms = state_->clock.now_us() / 1'000;
        if (ms > state_->last_ms) {
            state_->last_ms = ms;
            state_->counter = static_cast<std::uint32_t>(id.bytes[6] & 7) << 8 | id.bytes[7];
        } else if (++state_->counter >
                   0xfff) {  // RFC 9562 section 6.2: borrow the next millisecond
            ++state_->last_ms;
            state_->counter = 0;
        }
        ms = state_->last_ms;
        counter = state_->counter;
    }
    for (int i = 0; i < 6; ++i)
        id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    id.bytes[6] = static_cast<std::uint8_t>(0x70 | counter >> 8);
    id.bytes[7] = static_cast<std::uint8_t>(counter & 0xff);
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

}  // namespace writ

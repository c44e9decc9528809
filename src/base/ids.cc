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

std::string Uuid::text() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(36, '-');
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;  // the dash that stands there
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 15];
    }
    return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    std::string hex;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) return std::nullopt;
        if (!dash) hex += text[i];
    }
    const auto raw = from_hex(hex);
    if (!raw || ((*raw)[6] >> 4) != 7 || ((*raw)[8] >> 6) != 2) return std::nullopt;
    Uuid out;
    for (std::size_t i = 0; i < 16; ++i) out.bytes[i] = (*raw)[i];
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

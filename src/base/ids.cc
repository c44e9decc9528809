#include "base/ids.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/secret.h"

namespace writ {

namespace {

// Where the digits of an id stand in its text and where among all 32, and how many: `8-4-4-4-12`.
struct Group {
    std::size_t text, digits, size;
};
constexpr Group kGroups[] = {{0, 0, 8}, {9, 8, 4}, {14, 12, 4}, {19, 16, 4}, {24, 20, 12}};
constexpr std::size_t kDigits = 32;

}  // namespace

char* Uuid::write_text(char* out) const {
    std::array<char, kDigits> digits;
    write_hex(bytes, digits.data());
    for (const Group& g : kGroups) {
        if (g.text > 0) out[g.text - 1] = '-';
        std::memcpy(out + g.text, digits.data() + g.digits, g.size);
    }
    return out + kTextBytes;
}

std::string Uuid::text() const {
    std::string out(kTextBytes, '\0');
    write_text(out.data());
    return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != kTextBytes) return std::nullopt;
    std::array<char, kDigits> digits;
    for (const Group& g : kGroups) {
        if (g.text > 0 && text[g.text - 1] != '-') return std::nullopt;
        std::memcpy(digits.data() + g.digits, text.data() + g.text, g.size);
    }
    Uuid out;
    if (!read_hex({digits.data(), digits.size()}, out.bytes)) return std::nullopt;
    if ((out.bytes[6] >> 4) != 7 || (out.bytes[8] >> 6) != 2) return std::nullopt;
    return out;
}

struct IdSource::State {
    const Clock& clock;
    std::mutex mutex = {};  // guards all below: ids must rise across threads
    std::int64_t last_ms = 0;
    std::uint32_t counter = 0;  // the 12 bits of rand_a, restarted low every millisecond
    // OPTIMIZATION: one system call gives the random bits of many ids.
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
            fill_for_names(state_->random);
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

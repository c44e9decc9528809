// When a server whose tools may have changed is listed again, for all its instances together. The
// pause after a listing doubles with each one and halves with each `most` of quiet: one who changes
// his tools now and then is listed at once, one who keeps saying so at most once per `most`.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "net/reactor.h"

namespace writ::mcp {

// Thread: one at a time.
class RelistPace {
  public:
    using Instant = std::chrono::steady_clock::time_point;
    RelistPace(net::Millis least, net::Millis most) : least_(least), most_(most) {}

    // Whether a listing that began later and came in answers who heard at `said` that the tools
    // changed.
    bool answered(Instant said) const { return said < listed_; }
    // When the next one may begin.
    Instant next() const { return next_; }
    // The one that began then has come in.
    void listed(Instant began) { listed_ = std::max(listed_, began); }
    void begin(Instant now) {
        const auto quiet = began_ == Instant{} ? Instant::duration::zero() : now - next_;
        const auto halvings = std::clamp<std::int64_t>(quiet / most_, 0, kHalvings);
        pause_ = std::clamp(pause_ * 2 / (std::int64_t{1} << halvings), least_, most_);
        began_ = now;
        next_ = now + pause_;
    }

  private:
    static constexpr std::int64_t kHalvings = 32;
    net::Millis least_, most_;
    net::Millis pause_{0};
    Instant began_{}, next_{}, listed_{};
};

}  // namespace writ::mcp

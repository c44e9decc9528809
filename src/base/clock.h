// Time comes through an interface so that tests are deterministic. Wall time goes into claims and
// events; deadlines compare boot time, which no clock step can turn back (docs/architecture.md,
// rule 5).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace writ {

inline constexpr std::int64_t kSecond_us = 1'000'000;

class Clock {
  public:
    virtual ~Clock() = default;
    // Microseconds since the Unix epoch (CLOCK_REALTIME, never earlier than `not_before`).
    virtual std::int64_t now_us() const = 0;
    // Microseconds since boot, suspend included (CLOCK_BOOTTIME).
    virtual std::int64_t boot_us() const = 0;

    std::int64_t now_s() const { return now_us() / kSecond_us; }
};

// The machine's clocks. Thread: any.
class SystemClock final : public Clock {
  public:
    std::int64_t now_us() const override;
    std::int64_t boot_us() const override;
    // At start no clock earlier than the newest event is believed: wall time never reads below this
    // floor.
    void not_before(std::int64_t t_us) { floor_us_.store(t_us, std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> floor_us_{0};
};

// A clock that a test moves. Thread: any.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(std::int64_t now_us) : now_us_(now_us) {}
    std::int64_t now_us() const override { return now_us_.load(); }
    std::int64_t boot_us() const override { return boot_us_.load(); }
    void advance_us(std::int64_t delta) {
        now_us_ += delta;
        boot_us_ += delta;
    }
    // Steps the wall clock only, as an administrator or NTP would.
    void step_wall_us(std::int64_t delta) { now_us_ += delta; }

  private:
    std::atomic<std::int64_t> now_us_;
    std::atomic<std::int64_t> boot_us_{1'000'000};
};

// RFC 3339 in UTC with milliseconds, `2026-11-24T09:30:00.123Z`, for people's eyes.
std::string rfc3339(std::int64_t t_us);

}  // namespace writ

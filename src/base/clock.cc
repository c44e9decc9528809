#include "base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace writ {
namespace {

std::int64_t read_us(clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

}  // namespace

std::int64_t SystemClock::now_us() const {
    return std::max(read_us(CLOCK_REALTIME), floor_us_.load(std::memory_order_relaxed));
}

std::int64_t SystemClock::boot_us() const {
    return read_us(CLOCK_BOOTTIME);
}

std::string rfc3339(std::int64_t t_us) {
    std::int64_t seconds = t_us / 1'000'000;
    std::int64_t rest = t_us % 1'000'000;
    if (rest < 0) {
        rest += 1'000'000;
        --seconds;
    }
    const std::time_t t = seconds;
    std::tm parts{};
    gmtime_r(&t, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                       rest / 1'000);
}

}  // namespace writ

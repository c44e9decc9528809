// Complaints that would come again and again, held back to one line a while.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace writ {

// One complaint of one place. Thread: one at a time.
class Seldom {
  public:
    static constexpr std::chrono::seconds kEvery{10};

    // Whether it is to be said now, and how often it was not since it was said last.
    std::optional<std::uint64_t> due() {
        const auto now = std::chrono::steady_clock::now();
        if (said_at_ && now - *said_at_ < kEvery) {
            ++unsaid_;
            return std::nullopt;
        }
        said_at_ = now;
        return std::exchange(unsaid_, 0);
    }

  private:
    std::optional<std::chrono::steady_clock::time_point> said_at_;
    std::uint64_t unsaid_ = 0;
};

}  // namespace writ

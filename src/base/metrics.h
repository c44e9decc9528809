// Numbers for an operator's monitoring, and the page on which Prometheus reads them.
//
// Counting costs one relaxed addition: a meter is a member of what it is about, so there is no
// registry, no lock and no look-up. Whoever makes the page reads the meters then, together with
// what other places know already:
//
//   metrics::Counter calls;                       // a member
//   calls.add();                                  // thread: any
//
//   metrics::Page page(metrics::Format::kText);   // at a scrape
//   page.family("writ_calls", metrics::Type::kCounter, "Calls that came.");
//   page.sample({{"door", "mcp"}}, calls.value());
//   std::string body = std::move(page).take();
//
// Label values come from closed lists or from the configuration, never from a caller: a label that
// foreign text could choose would let a stranger fill the memory of whoever scrapes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace writ::metrics {

// Only rises. Thread: any.
class Counter {
  public:
    void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

// Rises and falls. Thread: any.
class Gauge {
  public:
    void add(std::int64_t n) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
    void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_{0};
};

// Upper bounds of the buckets of durations, in microseconds: 50 µs to 60 s, and what is beyond.
inline constexpr std::array<std::int64_t, 16> kDurationBounds_us = {
    50,     100,     250,     500,       1'000,     2'500,      5'000,      10'000,
    25'000, 100'000, 250'000, 1'000'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};

// What a histogram held at one moment; those of several reactors add up.
struct Durations {
    std::array<std::uint64_t, kDurationBounds_us.size() + 1> counts{};  // the last: beyond all
    std::uint64_t sum_us = 0;
    Durations& operator+=(const Durations& other);
};

// How long something took. Thread: any. A reader may see an observation in a bucket and not yet in
// the sum; every value by itself is right.
class Histogram {
  public:
    // A negative duration counts as 0.
    void observe_us(std::int64_t us) noexcept;
    Durations read() const noexcept;

  private:
    std::array<Counter, kDurationBounds_us.size() + 1> counts_;
    Counter sum_us_;
};

enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };

// kText: Prometheus' text format 0.0.4. kOpenMetrics: OpenMetrics 1.0.0.
enum class Format : std::uint8_t { kText, kOpenMetrics };

// What an Accept header asks for: kOpenMetrics if it is named without `q=0`, else kText.
Format wanted(std::string_view accept);
// The Content-Type of a page.
std::string_view content_type(Format format);

// One page, written family by family. A family's name comes once; `_total` is appended to a
// counter's samples here, not by the caller. Names are the program's own: a wrong one (what is not
// `[a-z_][a-z0-9_]*`, a sample without a family, a family twice) is a broken invariant.
class Page {
  public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    explicit Page(Format format) : format_(format) {}
    // Opens a family: the samples that follow are its own. `help` is one line.
    void family(std::string_view name, Type type, std::string_view help);
    void sample(Labels labels, std::uint64_t value);
    void sample(Labels labels, std::int64_t value);
    void sample(Labels labels, int value) { sample(labels, static_cast<std::int64_t>(value)); }
    void sample(Labels labels, bool value) { sample(labels, static_cast<std::int64_t>(value)); }
    void sample(Labels labels, double value);
    // One histogram of the family, in seconds.
    void sample(Labels labels, const Durations& durations);
    // The whole page; the page may not be used afterwards.
    std::string take() &&;

  private:
    void line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);

    Format format_;
    Type type_ = Type::kGauge;
    std::string name_;
    std::vector<std::string> seen_;
    std::string out_;
};

}  // namespace writ::metrics

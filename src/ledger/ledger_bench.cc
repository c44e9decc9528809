// Durable entries a second at 1, 16, 64 and 1,024 callers, 1 KiB each: one line of JSON a case.
// `ledger_bench [DIR]` uses a new folder below DIR (default: the system's for temporary files; mind
// that a tmpfs syncs nothing).

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <vector>

#include "ledger/ledger.h"

namespace {

namespace fs = std::filesystem;
using writ::ledger::Ledger;
using SteadyClock = std::chrono::steady_clock;

constexpr double kSeconds = 2.0;

// `callers` appends are always on their way: each acknowledgement starts the next.
struct Run {
    explicit Run(Ledger& l) : ledger(l) {}

    Ledger& ledger;
    std::string entry = std::string(1024, 'e');
    SteadyClock::time_point end =
        SteadyClock::now() +
        std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(kSeconds));
    std::mutex mutex;  // guards running; last_done tells the main thread
    std::condition_variable last_done;
    int running = 0;
    std::atomic<std::uint64_t> done = 0;
    std::vector<double> waits_us;  // touched by the committer thread only

    void start(SteadyClock::time_point began) {
        ledger.append(entry, [this, began](writ::Result<writ::ledger::Appended> result) {
            const auto now = SteadyClock::now();
            if (result) {
                ++done;
                waits_us.push_back(std::chrono::duration<double, std::micro>(now - began).count());
            }
            if (result && now < end) return start(now);
            const std::lock_guard lock(mutex);
            if (--running == 0) last_done.notify_all();
        });
    }
};

void measure(const fs::path& base, int callers) {
    const fs::path dir = base / fmt::format("writ-bench-{}-{}", getpid(), callers);
    writ::SystemClock clock;
    writ::ledger::Options options;
    options.dir = dir;
    options.origin = "bench.local/log";
    auto ledger = Ledger::open(options, writ::crypto::Ed25519Key::generate(), clock);
    if (!ledger) {
        fmt::print(stderr, "ledger_bench: {}\n", ledger.error().message());
        std::exit(1);
    }
    Run run(**ledger);
    run.running = callers;
    const auto began = SteadyClock::now();
    for (int i = 0; i < callers; ++i) run.start(SteadyClock::now());
    {
        std::unique_lock lock(run.mutex);
        run.last_done.wait(lock, [&] { return run.running == 0; });
    }
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - began).count();
    std::sort(run.waits_us.begin(), run.waits_us.end());
    const auto at = [&](double q) {
        return run
            .waits_us[static_cast<std::size_t>(q * static_cast<double>(run.waits_us.size() - 1))];
    };
    fmt::print(
        "{{\"case\":\"{} callers, 1 "
        "KiB\",\"durable_per_s\":{:.0f},\"p50_us\":{:.0f},\"p99_us\":{:.0f}}}\n",
        callers, static_cast<double>(run.done) / seconds, at(0.5), at(0.99));
    (*ledger).reset();
    fs::remove_all(dir);
}

}  // namespace

int main(int argc, char** argv) {
    const fs::path base = argc > 1 ? fs::path(argv[1]) : fs::temp_directory_path();
    for (const int callers : {1, 16, 64, 1024}) measure(base, callers);
    return 0;
}

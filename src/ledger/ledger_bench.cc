// The log's figures, one line of JSON a case: durable entries a second with their latency and CPU,
// the time until an entry is provable, inclusion proofs in a tree of 100 million entries, the
// separate verifier's speed and memory. `ledger_bench [DIR [PROOF_ENTRIES [VERIFY_ENTRIES]]]` uses
// new folders below DIR (default: the system's for temporary files; mind that a tmpfs syncs
// nothing). The verifier is the `writ-verify` beside this program.

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "crypto/hash.h"
#include "ledger/ledger.h"
#include "ledger/prover.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace {

namespace fs = std::filesystem;
using writ::Sha256;
using writ::ledger::Ledger;
using SteadyClock = std::chrono::steady_clock;

constexpr double kSeconds = 2.0;

double seconds_since(SteadyClock::time_point began) {
    return std::chrono::duration<double>(SteadyClock::now() - began).count();
}

// Removed at the end: the file system looks through what was deleted lately before it reuses it,
// which would count as work of the next case.
std::vector<fs::path> done_with;  // NOLINT: one program, one thread

// Of all threads of this process.
double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double quantile(std::vector<double>& values, double q) {
    std::sort(values.begin(), values.end());
    return values.empty()
               ? 0
               : values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

std::unique_ptr<Ledger> open_log(const fs::path& dir) {
    static writ::SystemClock clock;
    writ::ledger::Options options;
    options.dir = dir;
    options.origin = "bench.local/log";
    auto ledger = Ledger::open(options, writ::crypto::Ed25519Key::generate(), clock);
    if (ledger) return std::move(*ledger);
    fmt::print(stderr, "ledger_bench: {}\n", ledger.error().message());
    std::exit(1);
}

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

void measure_appends(const fs::path& base, int callers) {
    const fs::path dir = base / fmt::format("writ-bench-{}-{}", getpid(), callers);
    auto ledger = open_log(dir);
    Run run(*ledger);
    run.running = callers;
    const auto began = SteadyClock::now();
    const double cpu = cpu_seconds();
    for (int i = 0; i < callers; ++i) run.start(SteadyClock::now());
    {
        std::unique_lock lock(run.mutex);
        run.last_done.wait(lock, [&] { return run.running == 0; });
    }
    const auto count = static_cast<double>(run.done);
    const double seconds = seconds_since(began);
    const double cpu_us = (cpu_seconds() - cpu) * 1e6 / count;
    fmt::print(
        "{{\"case\":\"{} callers, 1 KiB\",\"durable_per_s\":{:.0f},\"p50_us\":{:.0f},"
        "\"p99_us\":{:.0f},\"cpu_us_per_entry\":{:.2f}}}\n",
        callers, count / seconds, quantile(run.waits_us, 0.5), quantile(run.waits_us, 0.99),
        cpu_us);
    ledger.reset();
    done_with.push_back(dir);
}

// From the call of append() to the checkpoint that covers the entry.
void measure_provable(const fs::path& base) {
    const fs::path dir = base / fmt::format("writ-bench-{}-provable", getpid());
    auto ledger = open_log(dir);
    std::vector<double> waits_ms;
    for (int i = 0; i < 30; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(i * 7 % 50));
        const auto began = SteadyClock::now();
        const auto done = ledger->append_sync("entry");
        while (done && ledger->health().published <= done->index)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        waits_ms.push_back(seconds_since(began) * 1e3);
    }
    fmt::print(
        "{{\"case\":\"append to provable\",\"p50_ms\":{:.0f},\"p99_ms\":{:.0f},\"max_ms\":{:.0f}}}"
        "\n",
        quantile(waits_ms, 0.5), quantile(waits_ms, 0.99), quantile(waits_ms, 1));
    ledger.reset();
    fs::remove_all(dir);
}

// Leaves of a tree that nobody stored.
Sha256 synthetic_leaf(std::uint64_t index) {
    Sha256 out;
    for (std::size_t i = 0; i < 4; ++i) {
        std::uint64_t x = (index + 1) * 0x9e37'79b9'7f4a'7c15 + i;
        x ^= x >> 31;
        x *= 0xbf58'476d'1ce4'e5b9;
        std::memcpy(out.data() + i * 8, &x, 8);
    }
    return out;
}

void measure_proofs(std::uint64_t entries) {
    std::vector<std::string> rows(8);  // of levels from 1 on
    writ::ledger::CompactTree tree;
    for (std::uint64_t i = 0; i < entries; ++i)
        tree.append(synthetic_leaf(i), [&](unsigned level, std::uint64_t, const Sha256& hash) {
            if (level > 0)
                rows[level].append(reinterpret_cast<const char*>(hash.data()), hash.size());
        });
    std::uint64_t read = 0;
    writ::ledger::Prover prover(
        [&](unsigned level, std::uint64_t n, unsigned width) -> writ::Result<std::string> {
            ++read;
            if (level > 0) return rows[level].substr(n * 8192, width * 32u);
            std::string out;
            for (unsigned i = 0; i < width; ++i) {
                const Sha256 leaf = synthetic_leaf(n * 256 + i);
                out.append(reinterpret_cast<const char*>(leaf.data()), leaf.size());
            }
            return out;
        });
    const Sha256 root = tree.root();
    // Warm: entries whose tiles are in memory, here the newest quarter million.
    const std::uint64_t hot = std::min<std::uint64_t>(entries, 250'000);
    const auto round = [&](std::uint64_t from, int count, bool keep) {
        std::mt19937_64 random(1);
        std::vector<double> waits_us;
        for (int i = 0; i < count; ++i) {
            const std::uint64_t index = from + random() % (entries - from);
            const auto began = SteadyClock::now();
            const auto path = prover.inclusion(index, entries);
            waits_us.push_back(seconds_since(began) * 1e6);
            if (i % 64 == 0 && !writ::ledger::check_inclusion(index, entries, synthetic_leaf(index),
                                                              *path, root)) {
                fmt::print(stderr, "ledger_bench: a proof does not hold\n");
                std::exit(1);
            }
        }
        return keep ? waits_us : std::vector<double>();
    };
    round(entries - hot, 20'000, false);
    auto warm = round(entries - hot, 20'000, true);
    auto cold = round(0, 2'000, true);
    fmt::print(
        "{{\"case\":\"inclusion proof, {} entries, tiles in memory\",\"p50_us\":{:.2f},"
        "\"p99_us\":{:.2f}}}\n",
        entries, quantile(warm, 0.5), quantile(warm, 0.99));
    fmt::print(
        "{{\"case\":\"inclusion proof, {} entries, its lowest tile not in "
        "memory\",\"p50_us\":{:.1f},"
        "\"p99_us\":{:.1f}}}\n",
        entries, quantile(cold, 0.5), quantile(cold, 0.99));
}

// Events of about 1 KiB in sessions of a hundred.
std::string event(std::uint64_t index, std::map<std::uint64_t, Sha256>& last) {
    constexpr std::uint64_t kLength = 100;
    const std::uint64_t session = index / kLength;
    const std::uint64_t step = index % kLength;
    const auto id = [](std::uint64_t n) {
        return fmt::format("01a2c1f0-0000-7000-8000-{:012}", n);
    };
    const bool sealed = step == kLength - 1;
    const std::string prev =
        step == 0 ? "" : fmt::format("\"prev\":\"{}\",", writ::digest_text(last[session]));
    const std::string data =
        sealed ? fmt::format(R"({{"calls":0,"denied":0,"events":{}}})", kLength) : "{}";
    std::string out = fmt::format(
        R"({{"actor":{{"operator":"{}"}},"attempt":1,"basis":"observed","chain":{{{}"seq":{},)"
        R"("uid":"{}"}},"data":{},"emitter":{{"boot":"{}","id":"spiffe://t/writ/gw","seq":{}}},)"
        R"("id":"{}","session":"{}","t_us":1795460000000000,"tenant":"t","type":"{}",)"
        R"("v":"writ.evidence/1"}})",
        std::string(400, 'o'), prev, step, id(session), data, id(1), index, id(1'000'000 + index),
        id(session),
        step == 0 ? "session.started"
        : sealed  ? "session.sealed"
                  : "egress.requested");
    last.clear();
    last[session] = writ::ledger::leaf_hash(writ::as_bytes(out));
    return out;
}

void measure_verifier(const fs::path& base, const fs::path& verifier, std::uint64_t entries) {
    const fs::path dir = base / fmt::format("writ-bench-{}-verify", getpid());
    std::uint64_t bytes = 0;
    {
        auto ledger = open_log(dir);
        std::map<std::uint64_t, Sha256> last;
        for (std::uint64_t i = 0; i < entries; ++i) {
            std::string leaf = event(i, last);
            bytes += leaf.size();
            ledger->append(std::move(leaf), [](const auto&) {});
            if (i % 8'000 == 7'999 && !ledger->flush()) std::exit(1);
        }
        if (!ledger->flush()) std::exit(1);
    }
    const fs::path log = dir / "log/default/node";
    const auto began = SteadyClock::now();
    std::fflush(stdout);  // or the child writes again what is waiting
    const pid_t child = fork();
    if (child == 0) {
        if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(9);
        execl(verifier.c_str(), verifier.c_str(), "--quiet", log.c_str(), nullptr);
        _exit(9);
    }
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    const double seconds = seconds_since(began);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    const auto count = static_cast<double>(entries);
    fmt::print(
        "{{\"case\":\"writ-verify, {} events of {} bytes\",\"verified_per_s\":{:.0f},"
        "\"verified_per_cpu_s\":{:.0f},\"memory_mib\":{:.1f},\"ok\":{}}}\n",
        entries, bytes / entries, count / seconds, count / cpu,
        static_cast<double>(usage.ru_maxrss) / 1024, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fs::remove_all(dir);
}

}  // namespace

int main(int argc, char** argv) {
    const fs::path base = argc > 1 ? fs::path(argv[1]) : fs::temp_directory_path();
    const std::uint64_t proofs = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000'000;
    const std::uint64_t verified = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1'000'000;
    for (const int callers : {1, 16, 64, 1024}) measure_appends(base, callers);
    measure_provable(base);
    measure_proofs(proofs);
    const fs::path verifier = fs::path(argv[0]).parent_path() / "writ-verify";
    for (const std::uint64_t entries : {verified / 10, verified})
        measure_verifier(base, verifier, entries);
    for (const fs::path& dir : done_with) fs::remove_all(dir);
    return 0;
}

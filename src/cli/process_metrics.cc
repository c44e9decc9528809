#include "cli/process_metrics.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// The value of `key` in /proc/stat, 0 if it is not there.
std::uint64_t kernel_stat(const std::string& key) {
    std::ifstream in("/proc/stat");
    for (std::string word; in >> word;) {
        std::uint64_t value = 0;
        if (word == key && in >> value) return value;
    }
    return 0;
}

// proc(5), /proc/pid/stat: the fields after the name, which may itself hold spaces and brackets.
void read_stat(ProcessReading& out) {
    std::ifstream in("/proc/self/stat");
    std::string text;
    std::getline(in, text);
    const auto end = text.rfind(')');
    if (end == std::string::npos) return;
    std::istringstream fields(text.substr(end + 1));
    constexpr int kFirst = 3, kThreads = 20, kStart = 22, kVirtual = 23, kResident = 24;
    std::string field;
    for (int number = kFirst; number <= kResident && fields >> field; ++number) {
        if (number != kThreads && number < kStart) continue;
        const std::uint64_t value = std::stoull("0" + field);
        if (number == kThreads) out.threads = value;
        if (number == kVirtual) out.virtual_bytes = value;
        if (number == kResident)
            out.resident_bytes = value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
        if (number != kStart) continue;
        const std::uint64_t booted = kernel_stat("btime");
        const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
        if (booted > 0)
            out.start_seconds = static_cast<double>(booted) + static_cast<double>(value) / ticks;
    }
}

}  // namespace

ProcessReading read_process(const fs::path& data) {
    ProcessReading out;
    read_stat(out);
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) out.fds_max = limit.rlim_cur;
    std::error_code error;
    std::uint64_t fds = 0;
    for (fs::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error))
        ++fds;
    if (!error && fds > 0) out.open_fds = fds - 1;  // without the one that lists them
    struct statvfs disk{};
    if (statvfs(data.c_str(), &disk) == 0)
        out.disk_free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    return out;
}

void write_process(metrics::Page& page, const ProcessReading& reading) {
    using metrics::Type;
    const auto one = [&page](std::string_view name, Type type, std::string_view help,
                             const auto& value) {
        if (!value) return;
        page.family(name, type, help);
        page.sample({}, *value);
    };
    one("process_cpu_seconds", Type::kCounter, "User and system CPU time spent.",
        reading.cpu_seconds);
    one("process_start_time_seconds", Type::kGauge, "When the process started, Unix time.",
        reading.start_seconds);
    one("process_resident_memory_bytes", Type::kGauge, "Resident memory.", reading.resident_bytes);
    one("process_virtual_memory_bytes", Type::kGauge, "Virtual memory.", reading.virtual_bytes);
    one("process_open_fds", Type::kGauge, "Open file descriptors.", reading.open_fds);
    one("process_max_fds", Type::kGauge, "Limit of open file descriptors.", reading.fds_max);
    one("process_threads", Type::kGauge, "Threads.", reading.threads);
    one("writ_disk_free_bytes", Type::kGauge, "Free space on the disk of the data folder.",
        reading.disk_free_bytes);
}

}  // namespace writ::cli

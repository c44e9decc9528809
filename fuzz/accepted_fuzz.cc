// What a killed run left in its file, of any content: what is found lies inside the file and within
// its bounds, and the next run begins with nothing and finds again what it keeps.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "ledger/accepted.h"
#include "ledger/tile.h"

using writ::ledger::Accepted;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::filesystem::path file =
        std::filesystem::path("/dev/shm") / ("writ-accepted-fuzz-" + std::to_string(getpid()));
    static const bool at_exit = std::atexit([] { unlink(file.c_str()); }) == 0;
    WRIT_CHECK(at_exit);
    // The first half stands at the first area's beginning, the second at the other's.
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const auto half = static_cast<ssize_t>(size / 2), rest = static_cast<ssize_t>(size) - half;
    WRIT_CHECK(pwrite(fd, data, size / 2, 0) == half);
    WRIT_CHECK(pwrite(fd, data + half, size - size / 2, Accepted::kAreaBytes) == rest);
    close(fd);

    auto accepted = Accepted::open(file);
    WRIT_CHECK(accepted.has_value());
    WRIT_CHECK(accepted->run().size() <= Accepted::kRunBytes);
    std::size_t bytes = 0;
    for (const auto& left : accepted->left()) {
        WRIT_CHECK(left.entry.size() <= writ::ledger::kMaxEntryBytes);
        bytes += left.entry.size();
    }
    WRIT_CHECK(bytes < 2 * Accepted::kAreaBytes);

    accepted->begin("this run");
    WRIT_CHECK(accepted->left().empty());
    const std::string_view entry(reinterpret_cast<const char*>(data),
                                 std::min(size, writ::ledger::kMaxEntryBytes));
    const auto slot = accepted->keep(7, entry);
    WRIT_CHECK(slot.kept());
    const auto left = accepted->left();
    WRIT_CHECK(left.size() == 1 && left[0].from == 7 && left[0].entry == entry);
    accepted->settle(slot);
    WRIT_CHECK(accepted->left().empty() && accepted->run() == "this run");
    return 0;
}

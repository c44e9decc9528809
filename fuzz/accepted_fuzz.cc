// What a killed run left in its file, of any content: what is found lies within its bounds, and the
// next run begins with nothing and finds again what it keeps. Skipped where /dev/shm is no tmpfs.
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.h"
#include "ledger/accepted.h"
#include "ledger/tile.h"

namespace {

using writ::ledger::Accepted;

// A folder of this process alone: the names in /dev/shm are anybody's.
struct Folder {
    Folder() {
        struct statfs system{};
        if (mkdtemp(path.data()) != nullptr && statfs(path.c_str(), &system) == 0 &&
            system.f_type == TMPFS_MAGIC)
            return;
        std::fputs("skipped: no tmpfs at /dev/shm\n", stderr);
        _exit(0);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path = "/dev/shm/writ-accepted-fuzz-XXXXXX";
};

// An area: its beginning as it is in `input`, what follows again and again up to the area's end,
// so that a run of entries gets there.
std::string area_of(std::string_view input) {
    constexpr std::size_t kBeginning = sizeof(std::uint64_t) + Accepted::kRunBytes;
    std::string out(input.substr(0, kBeginning));
    out.resize(kBeginning);
    out += input.substr(std::min(kBeginning, input.size()));
    while (out.size() > kBeginning && out.size() < Accepted::kAreaBytes)
        out.append(out, kBeginning);  // twice as often
    out.resize(Accepted::kAreaBytes);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    static const std::filesystem::path file = std::filesystem::path(folder.path) / "accepted";
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    std::ofstream(file) << area_of(input.substr(0, size / 2)) << area_of(input.substr(size / 2));
    std::filesystem::permissions(file, std::filesystem::perms(0600));

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
    const auto entry = input.substr(0, writ::ledger::kMaxEntryBytes);
    const auto slot = accepted->keep(7, entry);
    WRIT_CHECK(slot.kept());
    const auto left = accepted->left();
    WRIT_CHECK(left.size() == 1 && left[0].from == 7 && left[0].entry == entry);
    accepted->settle(slot);
    WRIT_CHECK(accepted->left().empty() && accepted->run() == "this run");
    return 0;
}

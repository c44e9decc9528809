#include "ledger/watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "ledger/segment.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kNamedSegments_max = 16;
// Renames begun and not yet seen to end; two threads rename at most.
constexpr std::size_t kRenamings_max = 64;
constexpr std::uint32_t kEvents = IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CREATE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

std::string SegmentWatch::look(const std::vector<std::uint64_t>& firsts, std::uint64_t minimum) {
    for (std::size_t i = 0; i + 1 < firsts.size(); ++i) {
        if (firsts[i + 1] <= minimum) continue;
        const fs::path path = segment_path(dir_, firsts[i]);
        struct stat info{};
        if (::stat(path.c_str(), &info) != 0) {
            if (errno == ENOENT || errno == ENOTDIR)
                return fmt::format("`{}` was removed", path.string());
            continue;
        }
        const Identity now{info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
                           info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
        const auto [it, added] = closed_.try_emplace(firsts[i], now);
        if (!added && it->second != now)
            return fmt::format("`{}` was replaced, cut or written to", path.string());
    }
    return "";
}

Result<TileWatch> TileWatch::open(const fs::path& log_dir) {
    TileWatch out;
    out.inotify_ = File(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!out.inotify_.is_open()) return fail(io_error("inotify", errno));
    out.log_dir_ = log_dir;
    if (auto done = out.add(log_dir / "tile"); !done) return fail(done.error());
    return out;
}

Status TileWatch::add(const fs::path& dir) {
    const int id = ::inotify_add_watch(inotify_.fd(), dir.c_str(), kEvents);
    if (id < 0) return fail(io_error("cannot watch `" + dir.string() + "`", errno));
    dirs_[id] = dir;
    std::error_code error;
    for (fs::directory_iterator it(dir, error); !error && it != fs::directory_iterator();
         it.increment(error))
        if (it->is_directory(error) && it->path().extension() != ".p")
            if (auto done = add(it->path()); !done) return done;
    return {};
}

std::vector<std::string> TileWatch::look() {
    std::vector<std::string> out;
    alignas(inotify_event) std::array<char, 16 << 10> buffer;
    while (inotify_.is_open()) {
        const ssize_t n = ::read(inotify_.fd(), buffer.data(), buffer.size());
        if (n <= 0) break;
        for (ssize_t at = 0; at < n;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            const auto dir = dirs_.find(event->wd);
            if (dir == dirs_.end()) continue;
            const std::string name = event->len > 0 ? event->name : "";
            // Our own: `x.new` renamed to `x`.
            if (name.ends_with(".new")) {
                if ((event->mask & IN_MOVED_FROM) != 0) {
                    if (renaming_.size() >= kRenamings_max) renaming_.clear();
                    renaming_.push_back(event->cookie);
                }
                continue;
            }
            if ((event->mask & IN_MOVED_TO) != 0 && std::erase(renaming_, event->cookie) > 0)
                continue;
            if (name.ends_with(".p")) continue;  // partial tiles come and go
            const fs::path path = name.empty() ? dir->second : dir->second / name;
            if ((event->mask & IN_CREATE) != 0) {
                if ((event->mask & IN_ISDIR) != 0) (void)add(path);
                continue;  // a file of that name is a stranger's, and harmless until read
            }
            if ((event->mask & (IN_IGNORED | IN_Q_OVERFLOW)) != 0) continue;
            if (out.size() < kNamedSegments_max)
                out.push_back(fs::relative(path, log_dir_).string());
        }
    }
    return out;
}

}  // namespace writ::ledger

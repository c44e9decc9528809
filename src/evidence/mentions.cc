// Piles, blocks and the file that is nobody else's.
#include "evidence/mentions.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace writ::evidence {

namespace {

namespace fs = std::filesystem;

// A file without a name. /var/tmp: /tmp may be memory itself.
Fd unnamed_file() {
    const char* named = std::getenv("TMPDIR");
    for (const fs::path& dir :
         {fs::path(named != nullptr ? named : ""), fs::path("/var/tmp"), fs::path("/tmp")}) {
        if (dir.empty()) continue;
        if (Fd fd(::open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); fd.valid()) return fd;
        std::string name = (dir / "writ-check-XXXXXX").string();
        Fd fd(::mkostemp(name.data(), O_CLOEXEC));
        if (fd.valid()) ::unlink(name.c_str());
        if (fd.valid()) return fd;
    }
    return {};
}

}  // namespace

void Mentions::cause(std::uint64_t index, std::string_view id) {
    const std::uint64_t mark = key_.of(kIds, id);
    if (recent_[mark % kRecent] != mark) add(index, kCause, mark);
}

void Mentions::id(std::uint64_t index, std::string_view id) {
    const std::uint64_t mark = key_.of(kIds, id);
    recent_[mark % kRecent] = mark;
    add(index, kId, mark);
}

void Mentions::permit(std::uint64_t index, std::string_view call) {
    add(index, kPermit, key_.of(kCalls, call));
}

void Mentions::end(std::uint64_t index, std::string_view call, bool needs_permit) {
    add(index, needs_permit ? kEnd : kLateEnd, key_.of(kCalls, call));
}

void Mentions::add(std::uint64_t index, Kind kind, std::uint64_t fingerprint) {
    Pile& pile = piles_[fingerprint >> 56];
    if (!pile.open) pile.open = std::make_unique<Block>();
    (*pile.open)[pile.size++] = {fingerprint, index << 3 | kind};
    if (pile.size == kBlockRecords) put_away(pile);
}

void Mentions::put_away(Pile& pile) {
    pile.size = 0;
    if (held_ >= blocks_held_ && spill(*pile.open)) {
        pile.in_file.push_back(static_cast<std::uint32_t>(file_blocks_++));
        return;
    }
    pile.held.push_back(std::move(pile.open));
    ++held_;
}

bool Mentions::spill(const Block& block) {
    if (no_file_) return false;
    if (!file_.valid()) file_ = unnamed_file();
    no_file_ =
        !file_.valid() ||
        !write_at(file_.get(), as_bytes({reinterpret_cast<const char*>(&block), kBlockBytes}),
                  file_blocks_ * kBlockBytes);
    return !no_file_;
}

Status Mentions::gather(Pile& pile, std::vector<Record>& out) const {
    out.clear();
    out.reserve((pile.held.size() + pile.in_file.size() + 1) * kBlockRecords);
    for (const auto& block : pile.held) out.insert(out.end(), block->begin(), block->end());
    if (pile.open) out.insert(out.end(), pile.open->begin(), pile.open->begin() + pile.size);
    Block block;
    for (const std::uint64_t n : pile.in_file) {
        auto* const into = reinterpret_cast<char*>(&block);
        for (std::size_t have = 0; have < kBlockBytes;) {
            const ssize_t got = ::pread(file_.get(), into + have, kBlockBytes - have,
                                        static_cast<off_t>(n * kBlockBytes + have));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return fail(io_error("cannot read a temporary file back", errno));
            have += static_cast<std::size_t>(got);
        }
        out.insert(out.end(), block.begin(), block.end());
    }
    pile = Pile();
    return {};
}

// `records` sorted: those of one fingerprint stand together, in the order of the log.
template <class Each>
void Mentions::look_through(const std::vector<Record>& records, Each each) const {
    for (std::size_t from = 0, to = 0; from < records.size(); from = to) {
        const std::uint64_t mark = records[from].fingerprint;
        std::uint64_t ids = 0, permits = 0, ends = 0;
        std::vector<std::uint64_t> early;  // causes before any event of the id
        for (to = from; to < records.size() && records[to].fingerprint == mark; ++to) {
            const std::uint64_t index = records[to].place >> 3;
            switch (static_cast<Kind>(records[to].place & 7)) {
                case kCause:
                    if (ids == 0) early.push_back(index);
                    break;
                case kId:
                    if (ids++ > 0) each({index, mark, Wrong::kSecondId});
                    break;
                case kPermit:
                    if (permits++ > 0) each({index, mark, Wrong::kSecondPermit});
                    break;
                case kEnd:
                    if (permits == 0) each({index, mark, Wrong::kEndBeforePermit});
                    [[fallthrough]];
                case kLateEnd:
                    if (ends++ > 0) each({index, mark, Wrong::kSecondEnd});
                    break;
            }
        }
        if (!from_start_ && ids == 0) continue;  // its event may be among those that are gone
        for (const std::uint64_t index : early) each({index, mark, Wrong::kUnknownCause});
    }
}

Result<Mentions::Answer> Mentions::finish(std::size_t found_max) {
    Answer out;
    const auto shorten = [&] {
        if (out.found.size() <= found_max) return;
        const auto end = out.found.begin() + static_cast<std::ptrdiff_t>(found_max);
        std::ranges::nth_element(out.found, end);
        out.more += out.found.size() - found_max;
        out.found.resize(found_max);
    };
    std::vector<Record> records;
    for (Pile& pile : piles_) {
        if (auto done = gather(pile, records); !done) return fail(done.error());
        std::ranges::sort(records);
        look_through(records, [&](const Found& found) {
            out.found.push_back(found);
            if (out.found.size() >= 2 * found_max + 64) shorten();
        });
    }
    shorten();
    std::ranges::sort(out.found);
    return out;
}

}  // namespace writ::evidence

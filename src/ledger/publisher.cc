#include "ledger/publisher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/decimal.h"
#include "base/log.h"
#include "ledger/file.h"
#include "ledger/note.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kStateHead = "writ-ledger-signed/1";
constexpr std::size_t kMaxStateBytes = 8 << 10;
// Beyond this many files one sync of the file system is cheaper than one each.
constexpr std::size_t kSyncEachTile_max = 16;
// Files from this size on are written past the system's cache.
constexpr std::size_t kDirectBytes = 64 << 10;

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return {};
        out.push_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return out;
}

std::optional<Sha256> hash_from(std::string_view text) {
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() != 32) return std::nullopt;
    Sha256 out;
    std::copy(bytes->begin(), bytes->end(), out.begin());
    return out;
}

unsigned partial_width(std::uint64_t size, unsigned level) {
    return level >= 8 ? 0 : static_cast<unsigned>((size >> (8 * level)) % kTileWidth);
}

}  // namespace

Result<Publisher> Publisher::open(PublisherOptions options, const crypto::Ed25519Key& key,
                                  Disk& disk) {
    Publisher out(std::move(options), key, disk);
    const auto& log_dir = out.options_.log_dir;
    for (const char* folder : {"entries", "0"})
        if (auto done = make_dirs(disk, log_dir / "tile" / folder); !done)
            return fail(done.error());
    if (auto done = make_dirs(disk, out.options_.state->path().parent_path()); !done)
        return fail(done.error());
    auto opened = File::open(log_dir, O_RDONLY | O_DIRECTORY);
    if (!opened) return fail(opened.error());
    out.log_dir_ = std::move(*opened);
    if (auto done = out.check_key(); !done) return fail(done.error());
    const auto state = read_file(out.options_.state->path(), kMaxStateBytes);
    if (!state && state.error().code == ErrorCode::kNotFound) {
        if (!fs::exists(log_dir / "checkpoint")) return out;
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the log has a checkpoint but `{}` is gone: restore it from a "
                                "backup; signing without it could fork the log",
                                out.options_.state->path().string()));
    }
    if (!state) return fail(state.error());
    if (auto loaded = out.load(*state); !loaded) return fail(loaded.error());
    if (auto loaded = out.load_checkpoint(); !loaded) return fail(loaded.error());
    return out;
}

Status Publisher::check_key() {
    const fs::path& path = options_.vkey->path();
    const std::string vkey = make_vkey(options_.origin, key_->public_key()) + "\n";
    const auto old = read_file(path, kMaxStateBytes);
    if (!old && old.error().code == ErrorCode::kNotFound) return options_.vkey->write(vkey);
    if (!old) return fail(old.error());
    if (*old == vkey) return options_.vkey->write(vkey);
    return fail(ErrorCode::kCorrupt,
                fmt::format("`{}` is the key of another log: the signing key or the names in the "
                            "configuration were changed; restore them, or start a new data folder",
                            path.string()));
}

Status Publisher::load(std::string_view state) {
    const auto damaged = [&](std::string_view why) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}`: {}; nothing is signed until it is restored",
                                options_.state->path().string(), why));
    };
    const auto lines = lines_of(state);
    if (lines.size() < 4 || lines[0] != kStateHead)
        return damaged("the signed state is unreadable");
    if (lines[1] != options_.origin) return damaged("the signed state is another log's");
    const auto size = from_decimal<std::uint64_t>(lines[2]);
    const auto root = hash_from(lines[3]);
    std::vector<Sha256> peaks;
    for (std::size_t i = 4; i < lines.size(); ++i) {
        const auto peak = hash_from(lines[i]);
        if (!peak) return damaged("a peak is unreadable");
        peaks.push_back(*peak);
    }
    if (!size || !root || peaks.size() != static_cast<std::size_t>(std::popcount(*size)))
        return damaged("the signed state is unreadable");
    const CompactTree tree(*size, std::move(peaks));
    if (tree.root() != *root) return damaged("the peaks do not give the signed root");
    signed_.push_back({*size, *root});
    if (load_rows(tree)) return {};
    log::warn("ledger", "tiles of `{}` are missing or altered: all are made again",
              options_.log_dir.string());
    rows_.clear();
    tree_ = CompactTree();
    return {};
}

// The checkpoint may be newer than a state that was put back from an old copy: what it says is
// signed as well. One that is unreadable is only damaged; the state is the newer of the two then.
Status Publisher::load_checkpoint() {
    const auto key = NoteVerifier::parse(make_vkey(options_.origin, key_->public_key()));
    const auto note = read_file(options_.log_dir / "checkpoint", kMaxNoteBytes);
    if (!key || !note) return {};
    const auto text = open_note(*note, *key);
    const auto body = text ? parse_checkpoint(*text) : fail(text.error());
    if (!body || body->origin != options_.origin) {
        log::warn("ledger", "the checkpoint in `{}` does not verify and is written anew",
                  options_.log_dir.string());
        return {};
    }
    const Signed& state = signed_.front();
    options_.release->found(body->size,
                            static_cast<std::size_t>(std::count(note->begin(), note->end(), '\n')));
    if (body->size < state.size) return {};
    if (body->size == state.size && body->root != state.root)
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the checkpoint and `{}` have different roots for {} entries: find "
                                "out which was published, restore the other",
                                options_.state->path().string(), state.size));
    if (body->size > state.size) signed_.push_back({body->size, body->root});
    return {};
}

// Goes back to the last whole bundle below the state. The rows above the leaves come from their
// partial tiles, which must give the state's peaks. False: they do not.
bool Publisher::load_rows(const CompactTree& tree) {
    const std::uint64_t base = tree.size() / kTileWidth * kTileWidth;
    const auto& peaks = tree.peaks();
    auto end = peaks.begin() + std::popcount(base);
    tree_ = CompactTree(base, std::vector<Sha256>(peaks.begin(), end));
    rows_.assign(1, "");
    for (unsigned level = 1; level < 8 && (base >> (8 * level)) > 0; ++level) {
        rows_.emplace_back();
        const unsigned width = partial_width(base, level);
        if (width == 0) continue;
        const std::uint64_t n = (base >> (8 * level)) / kTileWidth;
        auto row = read_file(options_.log_dir / tile_path(level, n, width), kTileWidth * 32);
        if (!row || row->size() != width * 32u) return false;
        CompactTree nodes;
        for (unsigned i = 0; i < width; ++i) {
            Sha256 hash;
            std::copy_n(as_bytes(*row).begin() + i * 32u, hash.size(), hash.begin());
            nodes.append(hash);
        }
        const auto begin = end - std::popcount(width);
        if (!std::equal(begin, end, nodes.peaks().begin(), nodes.peaks().end())) return false;
        end = begin;
        rows_[level] = std::move(*row);
    }
    return true;
}

std::uint64_t Publisher::signed_size() const {
    return signed_.empty() ? 0 : signed_.back().size;
}

Status Publisher::check_signed() const {
    for (const Signed& known : signed_) {
        if (known.size != tree_.size() || known.root == tree_.root()) continue;
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the write-ahead log does not give the root that was signed for {} "
                                "entries: entries were changed; restore it, nothing is signed "
                                "until then",
                                known.size));
    }
    return {};
}

Status Publisher::write_file(const std::string& path, std::string_view bytes) {
    const fs::path target = options_.log_dir / path;
    if (auto done = make_dirs(*disk_, target.parent_path()); !done) return done;
    const fs::path temp = target.string() + ".new";
    auto file = File::open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) return fail(file.error());
    if (auto done = write_bytes(file->fd(), bytes); !done) return done;
    if (::rename(temp.c_str(), target.c_str()) != 0)
        return fail(disk_error("cannot name `" + target.string() + "`", errno));
    sync_all_ = sync_all_ || unsynced_.size() >= kSyncEachTile_max;
    if (sync_all_) {
        unsynced_.clear();
        unsynced_dirs_.clear();
        return {};
    }
    unsynced_.push_back(std::move(*file));
    unsynced_dirs_.insert(target.parent_path());
    return {};
}

// Whole bundles are most of the log and are read, if at all, much later. They begin at a page of
// memory.
Status Publisher::write_bytes(int fd, std::string_view bytes) {
    const std::size_t direct =
        bytes.size() < kDirectBytes ? 0 : bytes.size() / kPageBytes * kPageBytes;
    if (auto done = write_pages_at(*disk_, fd, bytes.substr(0, direct), 0); !done) return done;
    return write_at(*disk_, fd, bytes.substr(direct), direct);
}

Status Publisher::append(std::string_view entry, const Sha256& leaf) {
    const std::uint64_t index = tree_.size();
    append_entry(bundle_, entry);
    if (index % kTileWidth == kTileWidth - 1) {
        const std::string path = bundle_path(index / kTileWidth, kTileWidth);
        if (auto done = write_file(path, bundle_.view()); !done) return done;
        bundle_.keep_last(0);
        filled_.push_back(path);
    }
    tree_.append(leaf, [&](unsigned level, std::uint64_t n, const Sha256& hash) {
        if (rows_.size() <= level) rows_.resize(level + 1);
        rows_[level].append(reinterpret_cast<const char*>(hash.data()), hash.size());
        if (n % kTileWidth != kTileWidth - 1 || !failed_) return;
        const std::string whole = std::exchange(rows_[level], {});
        const std::string path = tile_path(level, n / kTileWidth, kTileWidth);
        failed_ = write_file(path, whole);
        filled_.push_back(path);
    });
    if (!failed_) return failed_;
    return check_signed();
}

Status Publisher::write_partials() {
    const std::uint64_t size = tree_.size();
    if (bundle_.size() > 0) {
        const std::string path = bundle_path(size / kTileWidth, partial_width(size, 0));
        if (auto done = write_file(path, bundle_.view()); !done) return done;
    }
    for (unsigned level = 0; level < rows_.size(); ++level) {
        if (rows_[level].empty()) continue;
        const std::uint64_t n = (size >> (8 * level)) / kTileWidth;
        if (auto done = write_file(tile_path(level, n, partial_width(size, level)), rows_[level]);
            !done)
            return done;
    }
    return {};
}

Status Publisher::sync_written() {
    if (sync_all_ && ::syncfs(log_dir_.fd()) != 0)
        return fail(disk_error("cannot sync the tiles", errno));
    for (const File& file : unsynced_)
        if (disk_->fsync(file.fd()) != 0) return fail(disk_error("cannot sync a tile", errno));
    for (const auto& dir : unsynced_dirs_)
        if (auto done = sync_dir(*disk_, dir); !done) return done;
    unsynced_.clear();
    unsynced_dirs_.clear();
    sync_all_ = false;
    return {};
}

Status Publisher::publish() {
    const std::uint64_t size = tree_.size();
    const Sha256 root = tree_.root();
    if (size < signed_size())
        return fail(ErrorCode::kCorrupt, fmt::format("{} entries were signed and only {} are there",
                                                     signed_size(), size));
    if (auto done = check_signed(); !done) return done;
    if (auto done = write_partials(); !done) return done;
    if (auto done = sync_written(); !done) return done;
    // Readers of an older checkpoint take the full tile, so its partial ones may go (tlog-tiles).
    for (const std::string& path : std::exchange(filled_, {})) {
        std::error_code ignored;
        fs::remove_all(options_.log_dir / (path + ".p"), ignored);
    }
    std::string state =
        fmt::format("{}\n{}\n{}\n{}\n", kStateHead, options_.origin, size, to_base64(root));
    for (const Sha256& peak : tree_.peaks()) state += to_base64(peak) + "\n";
    if (auto done = options_.state->write(std::move(state)); !done) return done;
    signed_.assign(1, {size, root});
    std::string text = checkpoint_text(options_.origin, size, root);
    std::string note = sign_note(text, options_.origin, *key_);
    return options_.release->offer({size, root, std::move(text), std::move(note)},
                                   std::chrono::steady_clock::now());
}

}  // namespace writ::ledger

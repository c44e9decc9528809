#include "ledger/publisher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <set>

#include "ledger/file.h"
#include "ledger/note.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kStateHead = "writ-ledger-signed/1";
constexpr std::size_t kMaxStateBytes = 8 << 10;
constexpr std::size_t kMaxBundleBytes = kTileWidth * (2 + kMaxEntryBytes);
// Beyond this many files one sync of the file system is cheaper than one each.
constexpr std::size_t kSyncEach_max = 16;

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

Result<Publisher> Publisher::open(fs::path log_dir, fs::path state_file, std::string origin,
                                  const crypto::Ed25519Key& key) {
    std::error_code error;
    fs::create_directories(log_dir / "tile" / "entries", error);
    if (!error) fs::create_directories(state_file.parent_path(), error);
    if (error)
        return fail(ErrorCode::kIo, "cannot make `" + log_dir.string() + "`: " + error.message());
    Publisher out(key);
    out.log_dir_ = std::move(log_dir);
    out.state_file_ = std::move(state_file);
    out.origin_ = std::move(origin);
    const std::string vkey = make_vkey(out.origin_, key.public_key()) + "\n";
    const auto old_vkey = read_file(out.log_dir_ / "log.vkey", kMaxStateBytes);
    if (old_vkey && *old_vkey != vkey)
        return fail(
            ErrorCode::kCorrupt,
            fmt::format("`{}` is the key of another log: the signing key or the names in the "
                        "configuration were changed; restore them, or start a new data folder",
                        (out.log_dir_ / "log.vkey").string()));
    if (!old_vkey)
        if (auto done = replace_file(out.log_dir_ / "log.vkey", vkey); !done)
            return fail(done.error());
    const auto state = read_file(out.state_file_, kMaxStateBytes);
    if (!state && state.error().code == ErrorCode::kNotFound) {
        if (fs::exists(out.log_dir_ / "checkpoint"))
            return fail(
                ErrorCode::kCorrupt,
                fmt::format("the log has a checkpoint but `{}` is gone: restore it from a backup; "
                            "signing without it could fork the log",
                            out.state_file_.string()));
        return out;
    }
    if (!state) return fail(state.error());
    if (auto loaded = out.load(*state); !loaded) return fail(loaded.error());
    return out;
}

Status Publisher::load(std::string_view state) {
    const auto damaged = [&](std::string_view why) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}`: {}; nothing is signed until it is restored",
                                state_file_.string(), why));
    };
    const auto lines = lines_of(state);
    if (lines.size() < 4 || lines[0] != kStateHead)
        return damaged("the signed state is unreadable");
    if (lines[1] != origin_) return damaged("the signed state is another log's");
    const auto parsed =
        std::from_chars(lines[2].data(), lines[2].data() + lines[2].size(), signed_size_);
    const auto root = hash_from(lines[3]);
    std::vector<Sha256> peaks;
    for (std::size_t i = 4; i < lines.size(); ++i) {
        const auto peak = hash_from(lines[i]);
        if (!peak) return damaged("a peak is unreadable");
        peaks.push_back(*peak);
    }
    if (parsed.ec != std::errc() || !root ||
        peaks.size() != static_cast<std::size_t>(std::popcount(signed_size_)))
        return damaged("the signed state is unreadable");
    tree_ = CompactTree(signed_size_, std::move(peaks));
    if (tree_.root() != *root) return damaged("the peaks do not give the signed root");
    return load_partial_rows();
}

Status Publisher::load_partial_rows() {
    const auto load_one = [&](const std::string& path, std::size_t max) -> Result<std::string> {
        auto bytes = read_file(log_dir_ / path, max);
        if (!bytes)
            return fail(
                ErrorCode::kCorrupt,
                fmt::format("`{}`: restore the log's folder from a backup", bytes.error().detail));
        return bytes;
    };
    for (unsigned level = 0; level < 8 && (signed_size_ >> (8 * level)) > 0; ++level) {
        rows_.emplace_back();
        const unsigned width = partial_width(signed_size_, level);
        if (width == 0) continue;
        auto row = load_one(tile_path(level, (signed_size_ >> (8 * level)) / kTileWidth, width),
                            kTileWidth * 32);
        if (!row) return fail(row.error());
        if (row->size() != width * 32u)
            return fail(ErrorCode::kCorrupt,
                        fmt::format("a partial tile of level {} is truncated", level));
        rows_[level] = std::move(*row);
    }
    if (const unsigned width = partial_width(signed_size_, 0); width != 0) {
        auto bundle = load_one(bundle_path(signed_size_ / kTileWidth, width), kMaxBundleBytes);
        if (!bundle) return fail(bundle.error());
        if (const auto split = split_bundle(*bundle, width); !split) return fail(split.error());
        bundle_ = std::move(*bundle);
    }
    return {};
}

Status Publisher::write_file(const std::string& path, std::string_view bytes) {
    const fs::path target = log_dir_ / path;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    const fs::path temp = target.string() + ".new";
    {
        const auto file = File::open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (!file) return fail(file.error());
        if (auto done = write_at(system_disk(), file->fd(), bytes, 0); !done) return done;
    }
    if (::rename(temp.c_str(), target.c_str()) != 0)
        return fail(io_error("cannot name `" + target.string() + "`", errno));
    unsynced_.push_back(target);
    return {};
}

Status Publisher::append(std::string_view entry, const Sha256& leaf) {
    const std::uint64_t index = tree_.size();
    append_entry(bundle_, entry);
    if (index % kTileWidth == kTileWidth - 1) {
        const std::string whole = std::exchange(bundle_, {});
        if (auto done = write_file(bundle_path(index / kTileWidth, kTileWidth), whole); !done)
            return done;
    }
    tree_.append(leaf, [&](unsigned level, std::uint64_t n, const Sha256& hash) {
        if (rows_.size() <= level) rows_.resize(level + 1);
        rows_[level].append(reinterpret_cast<const char*>(hash.data()), hash.size());
        if (n % kTileWidth != kTileWidth - 1 || !failed_) return;
        const std::string whole = std::exchange(rows_[level], {});
        failed_ = write_file(tile_path(level, n / kTileWidth, kTileWidth), whole);
    });
    return failed_;
}

Status Publisher::write_partials() {
    const std::uint64_t size = tree_.size();
    if (!bundle_.empty())
        if (auto done = write_file(bundle_path(size / kTileWidth, partial_width(size, 0)), bundle_);
            !done)
            return done;
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
    if (unsynced_.size() > kSyncEach_max) {
        const auto dir = File::open(log_dir_, O_RDONLY | O_DIRECTORY);
        if (!dir) return fail(dir.error());
        if (::syncfs(dir->fd()) != 0) return fail(io_error("cannot sync the tiles", errno));
        unsynced_.clear();
        return {};
    }
    std::set<fs::path> dirs;
    for (const auto& path : unsynced_) {
        const auto file = File::open(path, O_RDONLY);
        if (!file) return fail(file.error());
        if (::fdatasync(file->fd()) != 0) return fail(io_error("cannot sync a tile", errno));
        // A folder may be new itself: its name stands in its parent.
        dirs.insert(path.parent_path());
        dirs.insert(path.parent_path().parent_path());
    }
    for (const auto& dir : dirs)
        if (auto done = sync_dir(dir); !done) return done;
    unsynced_.clear();
    return {};
}

Status Publisher::publish() {
    const std::uint64_t size = tree_.size();
    const Sha256 root = tree_.root();
    if (size != signed_size_) {
        if (auto done = write_partials(); !done) return done;
        if (auto done = sync_written(); !done) return done;
    }
    std::string state = fmt::format("{}\n{}\n{}\n{}\n", kStateHead, origin_, size, to_base64(root));
    for (const Sha256& peak : tree_.peaks()) state += to_base64(peak) + "\n";
    if (auto done = replace_file(state_file_, state, 0600); !done) return done;
    signed_size_ = size;
    const std::string note = sign_note(checkpoint_text(origin_, size, root), origin_, *key_);
    return replace_file(log_dir_ / "checkpoint", note);
}

}  // namespace writ::ledger

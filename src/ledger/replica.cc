#include "ledger/replica.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>

#include "ledger/prover.h"
#include "ledger/tile.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
// Beyond this many files one sync of the file system is cheaper than one each.
constexpr std::size_t kSyncEachFile_max = 64;

}  // namespace

Result<std::string> FolderSource::get(const std::string& path, std::size_t bytes_max) {
    return read_file(dir_ / path, bytes_max);
}

Result<Replica> Replica::open(fs::path dir, const std::string& vkey, Disk& disk) {
    auto key = NoteVerifier::parse(vkey);
    if (!key) return fail(key.error());
    if (auto done = make_dirs(disk, dir / "tile" / "entries"); !done) return fail(done.error());
    const fs::path key_file = dir / "log.vkey";
    const std::string line = make_vkey(key->name, key->key) + "\n";
    const auto old = read_file(key_file, kMaxNoteBytes);
    if (old && *old != line)
        return fail(ErrorCode::kConflict,
                    fmt::format("`{}` holds a copy of another log", dir.string()));
    if (!old)
        if (auto done = replace_file(disk, key_file, line); !done) return fail(done.error());
    Replica out(std::move(dir), std::move(*key), disk);
    if (auto done = out.load(); !done) return fail(done.error());
    return out;
}

// The copy's own checkpoint and tiles. Only whole bundles are taken up; the rest is read again.
Status Replica::load() {
    auto note = read_file(dir_ / "checkpoint", kMaxNoteBytes);
    if (!note && note.error().code == ErrorCode::kNotFound) return {};
    if (!note) return fail(note.error());
    const auto text = open_note(*note, key_);
    const auto body = text ? parse_checkpoint(*text) : fail(text.error());
    if (!body) return fail(body.error().in("the copy's checkpoint"));
    Prover prover(
        [this](unsigned level, std::uint64_t n, unsigned width) {
            auto bytes = read_file(dir_ / tile_path(level, n, width), kTileWidth * 32);
            if (!bytes && width < kTileWidth)
                bytes = read_file(dir_ / tile_path(level, n, kTileWidth), kTileWidth * 32);
            return bytes;
        },
        64);
    const auto root = prover.root(body->size);
    if (!root || *root != body->root)
        return fail(corrupt(fmt::format(
            "the copy in `{}` does not verify: remove it and begin anew", dir_.string())));
    size_ = body->size;
    root_ = body->root;
    const std::uint64_t base = size_ / kTileWidth * kTileWidth;
    std::vector<Sha256> peaks;
    std::vector<std::string> rows;
    std::uint64_t from = 0;
    for (std::uint64_t rest = base; rest > 0; rest -= std::bit_floor(rest)) {
        // The root of a complete subtree is what its own range proves.
        const auto height = static_cast<unsigned>(std::bit_width(rest) - 1);
        const auto peak = prover.subtree(height, from >> height, size_);
        if (!peak) return fail(peak.error());
        peaks.push_back(*peak);
        from += std::bit_floor(rest);
    }
    rows_.assign(1, "");
    for (unsigned level = 1; level < 8 && (base >> (8 * level)) > 0; ++level) {
        const std::uint64_t in_row = base >> (8 * level);
        std::string row;
        for (std::uint64_t i = in_row / kTileWidth * kTileWidth; i < in_row; ++i) {
            const auto hash = prover.subtree(8 * level, i, size_);
            if (!hash) return fail(hash.error());
            row.append(reinterpret_cast<const char*>(hash->data()), hash->size());
        }
        rows_.push_back(std::move(row));
    }
    tree_ = CompactTree(base, std::move(peaks));
    return {};
}

Status Replica::write_file(const std::string& path, std::string_view bytes) {
    const fs::path target = dir_ / path;
    if (auto done = make_dirs(*disk_, target.parent_path()); !done) return done;
    const fs::path temp = target.string() + ".new";
    auto file = File::open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) return fail(file.error());
    if (auto done = write_at(*disk_, file->fd(), bytes, 0); !done) return done;
    if (::rename(temp.c_str(), target.c_str()) != 0)
        return fail(disk_error("cannot name `" + target.string() + "`", errno));
    sync_all_ = sync_all_ || unsynced_.size() >= kSyncEachFile_max;
    if (sync_all_) return {};
    unsynced_.push_back(std::move(*file));
    unsynced_dirs_.insert(target.parent_path());
    return {};
}

Result<std::string> Replica::bundle_bytes(LogSource& source, std::uint64_t n, unsigned width) {
    const std::string path = bundle_path(n, width);
    auto mine = read_file(dir_ / path, kMaxBundleBytes);
    if (mine && split_bundle(*mine, width)) return mine;
    auto bytes = source.get(path, kMaxBundleBytes);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound && width < kTileWidth)
        bytes = source.get(bundle_path(n, kTileWidth), kMaxBundleBytes);
    return bytes;
}

Status Replica::add(const Sha256& leaf) {
    tree_.append(leaf, [&](unsigned level, std::uint64_t n, const Sha256& hash) {
        if (rows_.size() <= level) rows_.resize(level + 1);
        rows_[level].append(reinterpret_cast<const char*>(hash.data()), hash.size());
        if (n % kTileWidth != kTileWidth - 1 || !failed_) return;
        failed_ = write_file(tile_path(level, n / kTileWidth, kTileWidth), rows_[level]);
        rows_[level].clear();
    });
    // What was confirmed before must still be there.
    if (failed_ && tree_.size() == size_ && tree_.root() != root_)
        return fail(
            corrupt(fmt::format("the source's first {} entries are not those that it signed "
                                "before: they were rewritten",
                                size_)));
    return failed_;
}

Status Replica::take_bundle(LogSource& source, std::uint64_t n, unsigned width) {
    const auto bytes = bundle_bytes(source, n, width);
    if (!bytes) return fail(bytes.error());
    const auto entries = split_bundle(*bytes, width);
    if (!entries) return fail(entries.error().in(bundle_path(n, width)));
    std::string exact;
    for (const std::string& entry : *entries) {
        append_entry(exact, entry);
        if (auto done = add(leaf_hash(as_bytes(entry))); !done) return done;
    }
    return write_file(bundle_path(n, width), exact);
}

// The hashes of a bundle that the source gave up.
Status Replica::take_pruned(LogSource& source, std::uint64_t n) {
    const auto bytes = source.get(tile_path(0, n, kTileWidth), kTileWidth * 32);
    if (!bytes) return fail(bytes.error());
    if (bytes->size() != kTileWidth * 32)
        return fail(corrupt(tile_path(0, n, kTileWidth) + " is cut"));
    for (std::size_t i = 0; i < kTileWidth; ++i) {
        Sha256 leaf;
        std::copy_n(as_bytes(*bytes).begin() + static_cast<std::ptrdiff_t>(i * 32), 32,
                    leaf.begin());
        if (auto done = add(leaf); !done) return done;
    }
    return {};
}

// The source's minimum index; 0 when it has none.
std::uint64_t minimum_of(LogSource& source, std::uint64_t size) {
    constexpr std::size_t kMaxBytes = 32;
    const auto text = source.get("minimum-index", kMaxBytes);
    std::uint64_t out = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), out);
    return out % kTileWidth == 0 && out <= size ? out : 0;
}

Status Replica::write_edge() {
    for (unsigned level = 0; level < rows_.size(); ++level) {
        if (rows_[level].empty()) continue;
        const std::uint64_t n = (tree_.size() >> (8 * level)) / kTileWidth;
        const auto width = static_cast<unsigned>(rows_[level].size() / 32);
        if (auto done = write_file(tile_path(level, n, width), rows_[level]); !done) return done;
    }
    return {};
}

Status Replica::sync() {
    const auto dir = File::open(dir_, O_RDONLY | O_DIRECTORY);
    if (!dir) return fail(dir.error());
    if (sync_all_ && ::syncfs(dir->fd()) != 0)
        return fail(disk_error("cannot sync the copy", errno));
    for (const File& file : unsynced_)
        if (!sync_all_ && disk_->fsync(file.fd()) != 0)
            return fail(disk_error("cannot sync the copy", errno));
    if (!sync_all_)
        for (const auto& written : unsynced_dirs_)
            if (auto done = sync_dir(*disk_, written); !done) return done;
    unsynced_.clear();
    unsynced_dirs_.clear();
    sync_all_ = false;
    return {};
}

Status Replica::update(LogSource& source, const Progress& progress) {
    auto note = source.get("checkpoint", kMaxNoteBytes);
    if (!note) return fail(note.error());
    const auto text = open_note(*note, key_);
    const auto body = text ? parse_checkpoint(*text) : fail(text.error());
    if (!body) return fail(body.error().in("the source's checkpoint"));
    if (body->origin != key_.name) return fail(corrupt("the source's checkpoint is another log's"));
    if (body->size < size_)
        return fail(
            corrupt(fmt::format("the source went back from {} to {} entries", size_, body->size)));
    if (body->size == size_ && size_ > 0) {
        if (body->root != root_)
            return fail(corrupt(
                fmt::format("the source has two roots for {} entries: it is forked", size_)));
        // The same tree, perhaps with more cosignatures or newer ones.
        const auto mine = read_file(dir_ / "checkpoint", kMaxNoteBytes);
        if (mine && *mine == *note) return {};
        return replace_file(*disk_, dir_ / "checkpoint", *note);
    }
    // Until the root is confirmed a failure goes back to here.
    const CompactTree tree = tree_;
    const std::vector<std::string> rows = rows_;
    const auto back = [&](Error error) {
        tree_ = tree;
        rows_ = rows;
        failed_ = {};
        return fail(std::move(error));
    };
    const std::uint64_t minimum = minimum_of(source, body->size);
    std::uint64_t gone = 0;
    CompactTree at_bundle = tree;
    std::vector<std::string> rows_at_bundle = rows;
    for (std::uint64_t n = tree_.size() / kTileWidth; n * kTileWidth < body->size; ++n) {
        if (progress && !progress(tree_.size(), body->size))
            return back({ErrorCode::kCancelled, "stopped; run it again to go on", {}});
        at_bundle = tree_;
        rows_at_bundle = rows_;
        const unsigned width = width_at(body->size, n);
        auto done = take_bundle(source, n, width);
        if (!done && done.error().code == ErrorCode::kNotFound && (n + 1) * kTileWidth <= minimum) {
            done = take_pruned(source, n);
            gone = (n + 1) * kTileWidth;
        }
        if (!done) return back(done.error());
    }
    if (tree_.root() != body->root)
        return back(corrupt("the source's entries do not give the root that it signed"));
    if (auto done = write_edge(); !done) return back(done.error());
    if (gone > 0)
        if (auto done = write_file("minimum-index", std::to_string(gone) + "\n"); !done)
            return back(done.error());
    if (auto done = sync(); !done) return back(done.error());
    if (auto done = replace_file(*disk_, dir_ / "checkpoint", *note); !done)
        return back(done.error());
    size_ = body->size;
    root_ = body->root;
    if (body->size % kTileWidth != 0) {  // go on from the last whole bundle
        tree_ = std::move(at_bundle);
        rows_ = std::move(rows_at_bundle);
    }
    if (progress) progress(size_, size_);
    return {};
}

}  // namespace writ::ledger

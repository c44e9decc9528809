// Verifies a log's folder: every entry against every tile of every level, the root against the
// signed checkpoint. One bundle and one tile a level are in memory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "events.h"
#include "note.h"
#include "verify.h"

namespace writ::verify {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kWidth = 256;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kMaxEntryBundleBytes = kWidth * (2 + 65'535);
constexpr std::size_t kPadding = 128;  // what the JSON reader may read beyond an entry

std::string number_path(std::uint64_t n, std::uint64_t width) {
    char digits[4];
    std::string out;
    for (bool last = true;; last = false) {
        std::snprintf(digits, sizeof digits, "%03u", static_cast<unsigned>(n % 1000));
        out = (last ? "" : "x") + std::string(digits) + (last ? "" : "/") + out;
        if (n < 1000) break;
        n /= 1000;
    }
    return width < kWidth ? out + ".p/" + std::to_string(width) : out;
}

// A file into a buffer that is used again. Its size, or nothing.
std::optional<std::size_t> read_into(const fs::path& path, std::string& buffer,
                                     std::size_t bytes_max) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return std::nullopt;
    struct stat info{};
    std::optional<std::size_t> out;
    if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        static_cast<std::size_t>(info.st_size) <= bytes_max) {
        const auto size = static_cast<std::size_t>(info.st_size);
        if (buffer.size() < size + kPadding) buffer.resize(size + kPadding);
        std::size_t have = 0;
        while (have < size) {
            const ssize_t n = ::read(fd, buffer.data() + have, size - have);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            have += static_cast<std::size_t>(n);
        }
        if (have == size) out = size;
    }
    ::close(fd);
    return out;
}

class LogCheck {
  public:
    LogCheck(fs::path dir, const Options& options, Report& report)
        : dir_(std::move(dir)), options_(options), report_(report) {}

    void run(const Checkpoint& checkpoint) {
        size_ = checkpoint.size;
        report_.minimum_index = minimum_index();
        std::uint64_t n = report_.minimum_index / kWidth;
        if (n > 0 && !take_up(n)) return;
        EventCheck events(report_, n == 0);
        for (; n * kWidth < size_; ++n) {
            if (!bundle(n, options_.events ? &events : nullptr)) return;
            if (options_.progress && n % 64 == 0) options_.progress(tree_.count(), size_);
        }
        if (options_.progress) options_.progress(size_, size_);
        finish_tiles();
        if (tree_.root() != checkpoint.root)
            report_.finding("the entries do not give the root that was signed");
        if (options_.events) events.finish();
    }
    // The root of the first `size` entries, if the run passed there.
    void remember_at(std::uint64_t size) { older_size_ = size; }
    const std::optional<Hash>& remembered() const { return older_root_; }

  private:
    std::uint64_t minimum_index() {
        std::string why;
        const auto text = read_whole(dir_ / "minimum-index", 32, why);
        std::uint64_t out = 0;
        if (!text) return 0;
        const auto parsed = std::from_chars(text->data(), text->data() + text->size(), out);
        if (parsed.ec == std::errc() && out % kWidth == 0 && out <= size_) return out;
        report_.finding("`minimum-index` is not a bound of this log");
        return 0;
    }

    // What was pruned is gone, but its hashes are not: the leaves of the tiles stand for it.
    bool take_up(std::uint64_t bundles) {
        for (std::uint64_t n = 0; n < bundles; ++n) {
            const std::string path = "tile/0/" + number_path(n, kWidth);
            if (read_into(dir_ / path, pruned_, kWidth * kHashBytes) != kWidth * kHashBytes) {
                report_.finding(path + " is missing or cut");
                return false;
            }
            for (std::uint64_t i = 0; i < kWidth; ++i) {
                Hash leaf;
                std::memcpy(leaf.data(), pruned_.data() + i * kHashBytes, kHashBytes);
                add(leaf);
            }
        }
        report_.notes.push_back("entries below " + std::to_string(bundles * kWidth) +
                                " are pruned: their hashes were verified, their bytes are gone");
        return true;
    }

    // The file of a tile or bundle; a partial one may have been replaced by the full one.
    std::optional<std::size_t> read_either(const std::string& prefix, std::uint64_t n,
                                           std::uint64_t width, std::string& buffer,
                                           std::size_t bytes_max) {
        const auto size = read_into(dir_ / (prefix + number_path(n, width)), buffer, bytes_max);
        if (size || width == kWidth) return size;
        return read_into(dir_ / (prefix + number_path(n, kWidth)), buffer, bytes_max);
    }

    bool bundle(std::uint64_t n, EventCheck* events) {
        const std::uint64_t width = std::min(kWidth, size_ - n * kWidth);
        const std::string name = "tile/entries/" + number_path(n, width);
        const auto size = read_either("tile/entries/", n, width, bundle_, kMaxEntryBundleBytes);
        if (!size) {
            report_.finding(name + " is missing or cannot be read");
            return false;
        }
        std::size_t at = 0;
        for (std::uint64_t i = 0; i < width; ++i) {
            const auto byte = [&](std::size_t where) {
                return static_cast<std::size_t>(static_cast<unsigned char>(bundle_[where]));
            };
            const std::size_t length = at + 2 <= *size ? byte(at) << 8 | byte(at + 1) : 0;
            if (at + 2 > *size || at + 2 + length > *size) {
                report_.finding(name + " is cut");
                return false;
            }
            const std::string_view entry = std::string_view(bundle_).substr(at + 2, length);
            const Hash leaf = leaf_hash(entry);
            if (events != nullptr)
                events->feed(n * kWidth + i, entry, bundle_.size() - at - 2, leaf);
            add(leaf);
            at += 2 + length;
            ++report_.entries;
        }
        if (width == kWidth && at != *size) report_.finding(name + " has bytes behind its entries");
        return true;
    }

    void add(const Hash& leaf) {
        put(0, leaf);
        tree_.add(leaf, [&](unsigned level, const Hash& hash) { put(level, hash); });
        if (tree_.count() == older_size_) older_root_ = tree_.root();
    }

    void put(unsigned level, const Hash& hash) {
        if (rows_.size() <= level) rows_.resize(level + 1);
        Row& row = rows_[level];
        std::memcpy(row.bytes.data() + row.width * kHashBytes, hash.data(), kHashBytes);
        if (++row.width < kWidth) return;
        compare(level, row);
        row.width = 0;
        ++row.n;
    }

    void finish_tiles() {
        for (unsigned level = 0; level < rows_.size(); ++level)
            if (rows_[level].width > 0) compare(level, rows_[level]);
    }

    struct Row {
        std::uint64_t n = 0, width = 0;
        std::array<char, kWidth * kHashBytes> bytes{};
    };

    void compare(unsigned level, const Row& row) {
        const std::string prefix = "tile/" + std::to_string(level) + "/";
        const std::string name = prefix + number_path(row.n, row.width);
        const auto size = read_either(prefix, row.n, row.width, tile_, kWidth * kHashBytes);
        if (!size || *size < row.width * kHashBytes)
            return report_.finding(name + " is missing or cut");
        for (std::uint64_t i = 0; i < row.width; ++i)
            if (std::memcmp(tile_.data() + i * kHashBytes, row.bytes.data() + i * kHashBytes,
                            kHashBytes) != 0)
                report_.finding(name + ": hash " + std::to_string(i) +
                                " differs from what the entries give (entry " +
                                std::to_string((row.n * kWidth + i) << (8 * level)) + ")");
    }

    const fs::path dir_;
    const Options& options_;
    Report& report_;
    std::uint64_t size_ = 0, older_size_ = ~std::uint64_t{0};
    std::optional<Hash> older_root_;
    Accumulator tree_;
    std::vector<Row> rows_;
    std::string bundle_, tile_, pruned_;
};

}  // namespace

std::optional<std::string> read_whole(const fs::path& path, std::size_t bytes_max,
                                      std::string& why) {
    std::string buffer;
    const auto size = read_into(path, buffer, bytes_max);
    if (!size) {
        why = "cannot read `" + path.string() + "`";
        return std::nullopt;
    }
    buffer.resize(*size);
    return buffer;
}

bool check_checkpoint(const Checkpoint& checkpoint, const Key& key, const Trust& trust,
                      Report& report) {
    report.origin = checkpoint.origin;
    report.fingerprint = key.fingerprint();
    report.size = checkpoint.size;
    report.root = to_hex({reinterpret_cast<const char*>(checkpoint.root.data()), 32});
    const Signed by = signed_by(checkpoint, key);
    if (by == Signed::kWrong) report.finding("the log's signature does not verify");
    if (by == Signed::kNo) report.finding("the checkpoint is not signed by the log's key");
    if (by != Signed::kYes) return false;
    if (checkpoint.origin != key.name) {
        report.finding("the checkpoint's origin is not the name of the log's key");
        return false;
    }
    if (!trust.policy) return true;
    const Quorum quorum = quorum_of(checkpoint, *trust.policy);
    report.quorum = trust.policy->quorum;
    report.cosigned = quorum.cosigned;
    for (const auto& name : quorum.wrong)
        report.finding("the cosignature of witness `" + shown(name) + "` does not verify");
    if (!quorum.met)
        report.finding("the quorum `" + shown(report.quorum) + "` has not cosigned the checkpoint");
    return true;
}

std::optional<Report> verify_log(const fs::path& dir, const Options& options, std::string& why) {
    const auto note = read_whole(dir / "checkpoint", kMaxNoteBytes, why);
    if (!note) return std::nullopt;
    Report report;
    report.kind = "log";
    std::string form;
    const auto checkpoint = parse_checkpoint(*note, form);
    if (!checkpoint) {
        report.finding("the checkpoint is unreadable: " + form);
        return report;
    }
    std::optional<Key> key = options.trust.log;
    if (!key && options.trust.policy)
        for (const Key& log : options.trust.policy->logs)
            if (log.name == checkpoint->origin) key = log;
    if (!key && options.trust.policy && !options.trust.policy->logs.empty()) {
        report.finding("the policy does not list the log `" + shown(checkpoint->origin) + "`");
        return report;
    }
    if (!key) {
        const auto vkey = read_whole(dir / "log.vkey", kMaxNoteBytes, why);
        if (!vkey) return std::nullopt;
        key = parse_key(*vkey);
        report.self_declared = true;
        if (!key) report.finding("`log.vkey` is not a log key");
        if (!key) return report;
    }
    if (!check_checkpoint(*checkpoint, *key, options.trust, report)) return report;
    LogCheck check(dir, options, report);
    std::optional<Checkpoint> older;
    if (!options.older.empty()) {
        const auto old = read_whole(options.older, kMaxNoteBytes, why);
        if (!old) return std::nullopt;
        older = parse_checkpoint(*old, form);
        if (!older || signed_by(*older, *key) != Signed::kYes) {
            why = "`" + options.older.string() + "` is not a checkpoint of this log";
            return std::nullopt;
        }
        check.remember_at(older->size);
    }
    check.run(*checkpoint);
    if (!older) return report;
    if (older->size > checkpoint->size)
        report.finding("the log has " + std::to_string(checkpoint->size) +
                       " entries and was signed with " + std::to_string(older->size) +
                       " before: its end was cut off");
    else if (older->size > 0 && check.remembered() != older->root)
        report.finding("the log does not contain the older checkpoint of " +
                       std::to_string(older->size) + " entries: it is a fork");
    return report;
}

}  // namespace writ::verify

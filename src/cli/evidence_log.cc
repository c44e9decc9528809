#include "cli/evidence_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/clock.h"
#include "crypto/hash.h"

namespace writ::cli::evidence_verbs {

namespace {

namespace fs = std::filesystem;

// Beside the data where the configuration names it; else in the user's cache, named after the log.
fs::path index_file(const Where& where, const Opened& opened, const fs::path& dir) {
    if (!where.index.empty()) return where.index;
    std::error_code error;
    if (opened.config) {
        const auto folder = opened.config->data / "index";
        fs::create_directories(folder, error);
        if (!error && ::access(folder.c_str(), W_OK) == 0) {
            return folder / (opened.config->tenant + "-" + opened.config->node + ".sqlite");
        }
    }
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    const fs::path base = cache != nullptr && *cache != '\0' ? fs::path(cache)
                          : home != nullptr                  ? fs::path(home) / ".cache"
                                                             : fs::path();
    if (base.empty()) return {};
    const auto folder = base / "writ";
    fs::create_directories(folder, error);
    // It holds what events say in clear.
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
    if (error || ::access(folder.c_str(), W_OK) != 0) return {};  // in memory, then
    const auto digest = crypto::sha256(fs::weakly_canonical(dir, error).string());
    return folder / ("index-" + to_hex(ByteView(digest).first(8)) + ".sqlite");
}

Status open_parts(Opened& opened, const Where& where, Need need, const fs::path& dir) {
    const auto wants = [need](Need what) {
        return (static_cast<unsigned>(need) & static_cast<unsigned>(what)) != 0;
    };
    if (wants(Need::kIndex)) {
        auto index = evidence::LogIndex::open(index_file(where, opened, dir),
                                              evidence::source_of(opened.log), progress("index"));
        if (!index) return fail(index.error());
        opened.index = std::move(*index);
    }
    if (!wants(Need::kVault)) return {};
    if (!opened.config) {
        return fail(ErrorCode::kInvalid,
                    "payloads are in the gateway's vault: use --config instead of --log");
    }
    auto custody = evidence::make_custody(opened.config->evidence.custody);
    if (!custody) return fail(custody.error());
    auto vault = evidence::Vault::open(opened.config->data / "vault", opened.config->tenant,
                                       std::move(*custody));
    if (!vault) return fail(vault.error());
    opened.vault = std::move(*vault);
    opened.payloads = std::make_unique<evidence::PayloadReader>(*opened.vault, opened.index.get());
    return {};
}

}  // namespace

Result<std::unique_ptr<Opened>> open_log(const Context& context, const Where& where, Need need) {
    fs::path dir(where.log);
    std::optional<Config> config;
    if (dir.empty()) {
        auto loaded =
            load_config(context.config.empty() ? default_config_file() : fs::path(context.config));
        if (!loaded) return fail(loaded.error());
        dir = loaded->log_dir();
        config = std::move(*loaded);
    }
    const fs::path key_file = where.vkey.empty() ? dir / "log.vkey" : fs::path(where.vkey);
    std::ifstream in(key_file);
    if (!in) {
        return fail(ErrorCode::kNotFound,
                    fmt::format("no log key at `{}`: name {}", key_file.string(),
                                where.vkey.empty() ? "the log's folder with --log"
                                                   : "the file with the log's key with --vkey"));
    }
    std::string vkey;
    std::getline(in, vkey);
    auto log = ledger::LogReader::open(dir, vkey);
    if (!log) return fail(log.error());
    auto opened = std::make_unique<Opened>(
        Opened{std::move(*log), std::move(vkey), std::move(config), nullptr, nullptr, nullptr});
    if (auto ok = open_parts(*opened, where, need, dir); !ok) return fail(ok.error());
    return opened;
}

void add_where(Command verb, const std::shared_ptr<Where>& where, bool with_index) {
    verb.add_option("--log", where->log, "the log's folder (default: the configuration's)");
    verb.add_option("--vkey", where->vkey, "file with the log's key (default: DIR/log.vkey)");
    if (!with_index) return;
    verb.add_option("--index", where->index,
                    "the index's file (default: in the data folder, or the user's cache)");
}

std::function<void(std::uint64_t, std::uint64_t)> progress(std::string_view what) {
    if (isatty(STDERR_FILENO) == 0) return {};
    return [what = std::string(what)](std::uint64_t done, std::uint64_t total) {
        constexpr std::uint64_t kCells = 30;
        const std::uint64_t filled = total == 0 ? kCells : done * kCells / total;
        std::string bar;
        for (std::uint64_t i = 0; i < kCells; ++i) bar += i < filled ? "█" : "░";
        fmt::print(stderr, "\r{:<7} {} {:>3} %  {} of {}{}", what, bar,
                   total == 0 ? 100 : done * 100 / total, done, total, done == total ? "\n" : "");
        std::fflush(stderr);
    };
}

Result<std::string> read_text(const fs::path& file, std::size_t bytes_max) {
    std::ifstream in;
    if (file != "-") in.open(file, std::ios::binary);
    if (file != "-" && !in) {
        return fail(ErrorCode::kNotFound, fmt::format("cannot read `{}`", file.string()));
    }
    std::string out;
    std::array<char, 65536> chunk{};
    std::FILE* const input = stdin;
    while (true) {
        std::size_t got = 0;
        if (file == "-") {
            got = std::fread(chunk.data(), 1, chunk.size(), input);
        } else {
            in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
            got = static_cast<std::size_t>(in.gcount());
        }
        if (got == 0) return out;
        out.append(chunk.data(), got);
        if (out.size() > bytes_max) {
            return fail(ErrorCode::kTooLarge, fmt::format("`{}` is too large", file.string()));
        }
    }
}

Status write_text(const std::string& file,
                  const std::function<Status(const evidence::Sink&)>& write) {
    const bool to_stdout = file == "-";
    const std::string beside = file + ".new";
    std::FILE* const out = to_stdout ? stdout : std::fopen(beside.c_str(), "wb");
    const std::string wrong = to_stdout ? "cannot write" : "cannot write `" + file + "`";
    if (out == nullptr) return fail(io_error(wrong, errno));
    Status done = write([&](std::string_view piece) -> Status {
        if (std::fwrite(piece.data(), 1, piece.size(), out) == piece.size()) return {};
        return fail(io_error(wrong, errno));
    });
    if (std::fflush(out) != 0 && done) done = fail(io_error(wrong, errno));
    if (to_stdout) return done;
    if (std::fclose(out) != 0 && done) done = fail(io_error(wrong, errno));
    if (done && std::rename(beside.c_str(), file.c_str()) != 0) done = fail(io_error(wrong, errno));
    if (!done) std::remove(beside.c_str());
    return done;
}

Status write_text(const std::string& file, std::string_view text) {
    return write_text(file, [text](const evidence::Sink& sink) { return sink(text); });
}

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us) {
    const auto wrong = [&] {
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` is not a time: write 2026-11-24, 2026-11-24T09:30:00Z, or "
                                "90m, 24h, 7d before now",
                                text));
    };
    const auto digits = [&](std::size_t at, std::size_t n) -> std::optional<std::int64_t> {
        if (at + n > text.size()) return std::nullopt;
        std::int64_t value = 0;
        const auto* end = text.data() + at + n;
        const auto [stop, error] = std::from_chars(text.data() + at, end, value);
        if (error != std::errc() || stop != end || value < 0) return std::nullopt;
        return value;
    };
    constexpr std::int64_t kSecond = 1'000'000;
    if (!text.empty() && text.find('-') == std::string_view::npos) {
        const auto n = digits(0, text.size() - 1);
        const char unit = text.back();
        const std::int64_t seconds = unit == 's'   ? 1
                                     : unit == 'm' ? 60
                                     : unit == 'h' ? 3600
                                     : unit == 'd' ? 86'400
                                                   : 0;
        if (!n || seconds == 0 || *n > 100'000'000) return wrong();
        return now_us - *n * seconds * kSecond;
    }
    const auto year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
    if (!year || !month || !day || text[4] != '-' || text[7] != '-') return wrong();
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return wrong();
    std::int64_t seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL;
    if (text.size() > 10) {
        const auto hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
        const bool form = text.size() == 20 && text[10] == 'T' && text[13] == ':' &&
                          text[16] == ':' && text[19] == 'Z';
        if (!form || !hour || !minute || !second) return wrong();
        seconds += *hour * 3600 + *minute * 60 + *second;
    }
    return seconds * kSecond;
}

}  // namespace writ::cli::evidence_verbs

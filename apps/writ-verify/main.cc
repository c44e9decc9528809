// writ-verify: checks a log's folder or an evidence bundle with nothing but its files. It shares no
// code with the gateway that wrote them.
#include <sodium.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "verify.h"

namespace {

namespace fs = std::filesystem;
using writ::verify::Options;
using writ::verify::Report;
using writ::verify::shown;

constexpr int kGood = 0;
constexpr int kFindings = 1;
constexpr int kUsage = 2;
constexpr std::size_t kMaxTrustBytes = 256 << 10;

constexpr const char* kHelp =
    "usage: writ-verify [options] LOG-DIRECTORY | FILE.writ-bundle\n"
    "\n"
    "  --trust FILE        a log's key (name+id+key), or a policy (c2sp.org/tlog-policy) with "
    "log,\n"
    "                      witness, group and quorum lines. Without it the key that lies beside\n"
    "                      the data is used, and said to be self-declared\n"
    "  --older FILE        a checkpoint seen before (a log only): the log must still contain it\n"
    "  --tree-only         the entries are not Writ events: check the tree alone\n"
    "  --json              one JSON object on stdout\n"
    "  --quiet             no progress\n"
    "\n"
    "Exit codes: 0 everything holds, 1 findings, 2 wrong usage or unreadable files.\n"
    "Example: writ-verify --trust bank.policy /var/lib/writ/log/default/gw-1\n";

int usage(const std::string& what) {
    std::fprintf(stderr, "writ-verify: %s\n%s", what.c_str(), kHelp);
    return kUsage;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : shown(text, 4096)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string list(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const auto& text : texts) out += (out.size() > 1 ? "," : "") + quoted(text);
    return out + "]";
}

void print_json(const Report& r) {
    const auto number = [](const char* name, std::uint64_t value) {
        return ",\"" + std::string(name) + "\":" + std::to_string(value);
    };
    std::string out = "{\"schema\":\"writ.verify/1\",\"kind\":" + quoted(r.kind);
    out += ",\"ok\":" + std::string(r.findings.empty() ? "true" : "false");
    out += ",\"origin\":" + quoted(r.origin) + ",\"key\":" + quoted(r.fingerprint);
    out += ",\"self_declared_key\":" + std::string(r.self_declared ? "true" : "false");
    out += number("size", r.size) + ",\"root\":" + quoted(r.root);
    out += number("entries", r.entries) + number("minimum_index", r.minimum_index);
    out += number("sessions", r.sessions) + number("open_sessions", r.open_sessions);
    out += number("gaps", r.gaps) + ",\"quorum\":" + quoted(r.quorum);
    out += ",\"cosigned\":" + list(r.cosigned) + ",\"notes\":" + list(r.notes);
    out += ",\"findings\":" + list(r.findings) + number("more_findings", r.unsaid) + "}";
    std::puts(out.c_str());
}

void print_text(const Report& r) {
    std::printf("%-9s%s\nkey      %s%s\nsize     %llu\n", r.kind.c_str(), shown(r.origin).c_str(),
                r.fingerprint.c_str(), r.self_declared ? "  (self-declared key)" : "",
                static_cast<unsigned long long>(r.size));
    std::printf("root     %s\nquorum   %s", r.root.c_str(), shown(r.quorum).c_str());
    for (const auto& name : r.cosigned) std::printf(" %s", shown(name).c_str());
    std::printf("\n");
    for (const auto& note : r.notes) std::printf("note     %s\n", note.c_str());
    for (const auto& finding : r.findings) std::printf("WRONG    %s\n", finding.c_str());
    if (r.unsaid > 0)
        std::printf("WRONG    and %llu more\n", static_cast<unsigned long long>(r.unsaid));
    if (r.findings.empty())
        std::printf("%s %llu entries, %llu sessions (%llu open), %llu declared gaps\n",
                    r.self_declared ? "ok under a self-declared key:" : "ok      ",
                    static_cast<unsigned long long>(r.entries),
                    static_cast<unsigned long long>(r.sessions),
                    static_cast<unsigned long long>(r.open_sessions),
                    static_cast<unsigned long long>(r.gaps));
}

// A policy, or a bare key.
bool read_trust(const fs::path& file, Options& options, std::string& why) {
    const auto text = writ::verify::read_whole(file, kMaxTrustBytes, why);
    if (!text) return false;
    if (auto key = writ::verify::parse_key(*text); key && !key->witness) {
        options.trust.log = std::move(key);
        return true;
    }
    options.trust.policy = writ::verify::parse_policy(*text, why);
    if (!options.trust.policy)
        why = "`" + file.string() + "` is neither a log key nor a policy: " + why;
    return options.trust.policy.has_value();
}

void show_progress(std::uint64_t done, std::uint64_t total) {
    constexpr int kBar = 40;
    const int filled = total == 0 ? kBar : static_cast<int>(done * kBar / total);
    std::fprintf(stderr, "\r[%.*s%*s] %llu of %llu%s", filled,
                 "########################################", kBar - filled, "",
                 static_cast<unsigned long long>(done), static_cast<unsigned long long>(total),
                 done == total ? "\n" : "");
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    std::string what;
    std::string why;
    bool json = false;
    bool quiet = isatty(STDERR_FILENO) == 0;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        const bool more = i + 1 < argc;
        if (word == "--help" || word == "-h") {
            std::fputs(kHelp, stdout);
            return kGood;
        }
        if (word == "--version") {
            std::puts("writ-verify 0.1.0");
            return kGood;
        }
        if (word == "--trust" && more) {
            if (!read_trust(argv[++i], options, why)) return usage(why);
        } else if (word == "--older" && more) {
            options.older = argv[++i];
        } else if (word == "--tree-only") {
            options.events = false;
        } else if (word == "--json") {
            json = true;
        } else if (word == "--quiet") {
            quiet = true;
        } else if (word.starts_with("-") || !what.empty()) {
            return usage("unexpected `" + shown(word) + "`");
        } else {
            what = word;
        }
    }
    if (what.empty()) return usage("name a log's folder or a bundle");
    if (sodium_init() < 0) return usage("libsodium does not start");
    if (!quiet) options.progress = show_progress;
    std::error_code error;
    const auto report = fs::is_directory(what, error)
                            ? writ::verify::verify_log(what, options, why)
                            : writ::verify::verify_bundle(what, options, why);
    if (!report) {
        std::fprintf(stderr, "writ-verify: %s\n", shown(why, 1000).c_str());
        return kUsage;
    }
    if (json)
        print_json(*report);
    else
        print_text(*report);
    return report->findings.empty() ? kGood : kFindings;
}

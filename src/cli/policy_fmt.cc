// `writ policy fmt`: policy files in the one layout, comments kept.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/inert.h"
#include "cedar/formatter.h"
#include "cli/policy_world.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kContextLines = 3;          // around a change, in a diff
constexpr std::size_t kFoldersFilesMax = 10'000;  // found below the folders given

struct FmtOptions {
    std::vector<std::string> paths;
    bool check = false, diff = false, to_stdout = false;
    std::size_t line_width = 80, indent_width = 2;
};

// What became of one file.
struct Formatted {
    std::string file;
    std::string before, after;
    std::optional<Error> error;
    bool changed() const { return !error && before != after; }
};

Result<std::string> read_all(std::istream& in, const std::string& name) {
    std::string out;
    std::string block(64 << 10, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        out.append(block, 0, static_cast<std::size_t>(in.gcount()));
        if (out.size() > cedar::kPolicyBytesMax)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("more than {} MiB: policies are read up to that size",
                                    cedar::kPolicyBytesMax >> 20),
                        {name, 0, 0});
    }
    return out;
}

Result<std::string> read_policy_file(const std::string& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error))
        return fail(ErrorCode::kNotFound, "no such file", {file, 0, 0});
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(io_error("cannot be read", errno).in(file));
    return read_all(in, file);
}

// Puts `text` in the place of the file, all or nothing, with its permissions; what a link leads to
// is replaced, not the link.
Status replace(const std::string& name, const std::string& text) {
    std::error_code error;
    const fs::path file = fs::canonical(name, error);
    struct stat now = {};
    if (error || stat(file.c_str(), &now) != 0) return fail(io_error(name, errno));
    std::string beside = file.string() + ".XXXXXX";
    const int fd = mkstemp(beside.data());
    if (fd < 0) return fail(io_error(name, errno));
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = write(fd, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += static_cast<std::size_t>(n);
    }
    const bool written =
        done == text.size() && fchmod(fd, now.st_mode & 07777) == 0 && fsync(fd) == 0;
    const int why = errno;
    const bool closed = close(fd) == 0;
    if (written && closed && std::rename(beside.c_str(), file.c_str()) == 0) return {};
    const Error failed = io_error(name, written ? errno : why);
    unlink(beside.c_str());
    return fail(failed);
}

// The files to look at: those named, and the *.cedar below the folders named.
Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
    std::vector<std::string> out;
    for (const std::string& path : paths) {
        std::error_code error;
        if (path == "-" || !fs::is_directory(path, error)) {
            out.push_back(path);
            continue;
        }
        std::vector<std::string> found;
        std::error_code ignored;  // what cannot be looked at is no policy file
        for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
             at.increment(error)) {
            if (at->path().extension() == ".cedar" && at->is_regular_file(ignored))
                found.push_back(at->path().string());
            if (found.size() > kFoldersFilesMax)
                return fail(ErrorCode::kTooLarge,
                            fmt::format("more than {} policy files below it", kFoldersFilesMax),
                            {path, 0, 0});
        }
        if (error) return fail(ErrorCode::kIo, error.message(), {path, 0, 0});
        std::sort(found.begin(), found.end());
        out.insert(out.end(), found.begin(), found.end());
    }
    return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        out.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return out;
}

void print_lines(char mark, std::span<const std::string_view> lines) {
    for (const std::string_view line : lines)
        fmt::print("{}{}{}", mark, line,
                   line.ends_with('\n') ? "" : "\n\\ No newline at end of file\n");
}

// A unified diff of one hunk: from the first line that differs to the last.
void print_diff(const Formatted& file) {
    const auto before = lines_of(file.before);
    const auto after = lines_of(file.after);
    const std::size_t common = std::min(before.size(), after.size());
    std::size_t top = 0, bottom = 0;
    while (top < common && before[top] == after[top]) ++top;
    while (bottom < common - top &&
           before[before.size() - 1 - bottom] == after[after.size() - 1 - bottom])
        ++bottom;
    const std::size_t above = std::min(top, kContextLines);
    const std::size_t below = std::min(bottom, kContextLines);
    const auto hunk = [&](const auto& lines) {
        const std::size_t count = lines.size() - (top - above) - (bottom - below);
        return fmt::format("{},{}", count == 0 ? 0 : top - above + 1, count);
    };
    fmt::print("--- {0}\n+++ {0}\n@@ -{1} +{2} @@\n", file.file, hunk(before), hunk(after));
    const std::span<const std::string_view> old_lines(before), new_lines(after);
    print_lines(' ', old_lines.subspan(top - above, above));
    print_lines('-', old_lines.subspan(top, before.size() - top - bottom));
    print_lines('+', new_lines.subspan(top, after.size() - top - bottom));
    print_lines(' ', old_lines.subspan(before.size() - bottom, below));
}

Formatted format_one(const std::string& file, const FmtOptions& options) {
    Formatted out;
    out.file = file == "-" ? "stdin" : file;
    auto text = file == "-" ? read_all(std::cin, out.file) : read_policy_file(file);
    if (!text) {
        out.error = text.error();
        return out;
    }
    auto after = cedar::format(
        *text,
        {.line_width = options.line_width, .indent_width = options.indent_width, .file = out.file});
    if (!after) {
        out.error = after.error();
        return out;
    }
    out.before = std::move(*text);
    out.after = std::move(*after);
    return out;
}

// All errors of a file, a line each.
void print_error(const Error& error) {
    const std::string message = error.message();
    for (std::string_view line : lines_of(message)) {
        if (line.ends_with('\n')) line.remove_suffix(1);
        fmt::print(stderr, "writ: {}\n", inert(line, 2'000));
    }
}

// Prints or writes what became of a file. True: done.
bool deliver(const Context& context, const FmtOptions& options, Formatted& file, bool from_stdin) {
    if (!file.error && file.changed() && !options.check && !options.diff && !options.to_stdout &&
        !from_stdin) {
        if (const auto status = replace(file.file, file.after); !status)
            file.error = status.error();
    }
    if (file.error) {
        if (!context.json) print_error(*file.error);
        return false;
    }
    if (context.json) return true;
    if (options.diff) {
        if (file.changed()) print_diff(file);
    } else if (options.check) {
        if (file.changed()) fmt::print("{}\n", inert(file.file));
    } else if (options.to_stdout || from_stdin) {
        fmt::print("{}", file.after);
    } else if (file.changed()) {
        fmt::print("{}\n", inert(file.file));
    }
    return true;
}

json::Node to_node(const Formatted& file, bool with_text) {
    json::Node out = json::Node::object();
    out["file"] = file.file;
    out["changed"] = file.changed();
    if (with_text && !file.error) out["text"] = file.after;
    if (!file.error) return out;
    out["error"]["code"] = name(file.error->code);
    out["error"]["message"] = file.error->message();
    out["error"]["line"] = file.error->at.line;
    out["error"]["column"] = file.error->at.column;
    return out;
}

int format_files(const Context& context, const FmtOptions& options) {
    const auto files = files_of(options.paths);
    if (!files) return report(context, files.error());
    json::Node list = json::Node::array();
    bool broken = false, changed = false;
    for (const std::string& file : *files) {
        const bool from_stdin = file == "-";
        Formatted one = format_one(file, options);
        broken = !deliver(context, options, one, from_stdin) || broken;
        changed = changed || one.changed();
        if (context.json) list.push_back(to_node(one, options.to_stdout || from_stdin));
    }
    if (context.json) {
        json::Node out = json::Node::object();
        out["files"] = std::move(list);
        print_json(context, versioned("policy.fmt", std::move(out)));
    }
    if (broken) return kUsage;
    return changed && options.check ? kFound : kDone;
}

}  // namespace

void add_policy_fmt(Command app, Context& context) {
    auto options = std::make_shared<FmtOptions>();
    Command verb = app.add_subcommand("fmt", "Lay policy files out in one way, comments kept");
    verb.add_option("path", options->paths,
                    "Files, folders (all *.cedar below them), or - for stdin to stdout")
        .required();
    verb.add_flag("--check", options->check,
                  "Change nothing; name the files that are not formatted");
    verb.add_flag("--diff", options->diff, "Change nothing; print what would change");
    verb.add_flag("--stdout", options->to_stdout, "Change nothing; print the formatted text");
    verb.add_option("--line-width", options->line_width, "Columns of a line")
        .capture_default_str()
        .range(1, 1'000);
    verb.add_option("--indent", options->indent_width, "Columns of a level")
        .capture_default_str()
        .range(0, 16);
    verb.footer(
        "Example: writ policy fmt policies/\n"
        "         writ policy fmt --check --diff policies/    (for CI)\n"
        "A file is replaced as a whole or not at all; one that does not parse is left as it is.\n"
        "Exit codes: 0 done, 2 a file is broken or cannot be read, 4 --check found some.");
    verb.callback([&context, options] { return format_files(context, *options); });
}

}  // namespace writ::cli

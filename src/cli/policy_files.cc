#include "cli/policy_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

#include "base/limits.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

// Policy files of one folder, and their bytes together.
constexpr std::size_t kMaxPolicyFiles = 10'000;
constexpr std::size_t kMaxPolicyBytes = 64 << 20;

// Opened without waiting (a pipe that nobody writes to), looked at before it is read, and never
// read beyond what it may have.
Result<std::string> read_policy(const fs::path& file) {
    const auto refuse = [&](ErrorCode code, std::string_view why) {
        return fail(code, fmt::format("cannot use this policy file: {}", why),
                    {file.string(), 0, 0});
    };
    const int fd = open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return refuse(ErrorCode::kIo, std::generic_category().message(errno));
    const std::unique_ptr<const int, void (*)(const int*)> closing(
        &fd, [](const int* open_fd) { close(*open_fd); });
    struct stat about{};
    if (fstat(fd, &about) != 0)
        return refuse(ErrorCode::kIo, std::generic_category().message(errno));
    if (!S_ISREG(about.st_mode))
        return refuse(ErrorCode::kInvalid, "it is no regular file: move it out of the folder");
    if (static_cast<std::uint64_t>(about.st_size) > kMaxPolicyFileBytes)
        return refuse(ErrorCode::kTooLarge,
                      "it is larger than 8 MiB: put its policies into several files");
    std::string text(static_cast<std::size_t>(about.st_size) + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = read(fd, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse(ErrorCode::kIo, std::generic_category().message(errno));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size == text.size()) return refuse(ErrorCode::kIo, "it grows while it is read");
    text.resize(size);
    if (const auto nul = text.find('\0'); nul != std::string::npos) {
        const std::string_view before = std::string_view(text).substr(0, nul);
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const std::size_t column = nul - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        return fail(
            ErrorCode::kInvalid,
            "cannot use this policy file: there is a NUL byte in it, so it is no text: "
            "move it out of the folder, or save it again as UTF-8",
            {file.string(), static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(column)});
    }
    return text;
}

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> load_policies(const fs::path& dir) {
    std::error_code error;
    fs::directory_iterator entries(dir, error);
    if (error)
        return fail(ErrorCode::kNotFound,
                    fmt::format("cannot read the policy folder `{}`: {}: make it, and put *.cedar "
                                "files into it",
                                dir.string(), error.message()));
    std::vector<fs::path> files;
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
        if (entries->path().extension() == ".cedar") files.push_back(entries->path());
    if (error)
        return fail(ErrorCode::kIo, fmt::format("cannot read the policy folder `{}`: {}",
                                                dir.string(), error.message()));
    if (files.size() > kMaxPolicyFiles)
        return fail(ErrorCode::kTooLarge, fmt::format("`{}` has more than {} policy files",
                                                      dir.string(), kMaxPolicyFiles));
    std::sort(files.begin(), files.end());
    std::vector<std::pair<std::string, std::string>> out;
    std::size_t bytes = 0;
    for (const auto& file : files) {
        auto text = read_policy(file);
        if (!text) return fail(text.error());
        bytes += text->size();
        if (bytes > kMaxPolicyBytes)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("the policy files of `{}` are larger than {} MiB together",
                                    dir.string(), kMaxPolicyBytes >> 20));
        out.emplace_back(file.string(), std::move(*text));
    }
    return out;
}

}  // namespace writ::cli

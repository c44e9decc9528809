// Replaying a segment of any content: what is read is a run of frames that are written back to the
// same bytes.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "ledger/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("writ-wal-fuzz-" + std::to_string(getpid()));
    // The header is right; the fuzzer chooses the frames.
    std::string bytes = writ::ledger::segment_header(7);
    bytes.append(reinterpret_cast<const char*>(data), size);
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    WRIT_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    close(fd);
    auto scan = writ::ledger::FrameScan::open(file, 7);
    WRIT_CHECK(scan.has_value());
    std::string again = writ::ledger::segment_header(7);
    while (true) {
        const std::uint64_t index = scan->next_index();
        const auto more = scan->next();
        WRIT_CHECK(more.has_value());
        if (!*more) break;
        writ::ledger::append_frame(again, index, scan->entry());
    }
    WRIT_CHECK(scan->offset() == again.size() && bytes.starts_with(again));
    return 0;
}

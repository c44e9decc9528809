// The check over a published log.
#include "evidence/trail.h"

#include "evidence/check.h"

namespace writ::evidence {

namespace {

// How often a check tells its progress.
constexpr std::uint64_t kProgressEvery = 4096;

}  // namespace

CheckReport check(const ledger::LogReader& log,
                  const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    Checker checker;
    const std::uint64_t size = log.checkpoint().size;
    const Status read = log.entries(0, [&](std::uint64_t index, std::string_view bytes) {
        checker.feed(index, bytes);
        if (progress && index % kProgressEvery == 0) progress(index, size);
        return true;
    });
    CheckReport report = checker.finish();
    if (!read) report.findings.push_back("the log cannot be read: " + read.error().message());
    if (progress) progress(size, size);
    return report;
}

}  // namespace writ::evidence

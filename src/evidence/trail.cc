// The check over a published log.
#include "evidence/trail.h"

#include "evidence/check.h"
#include "evidence/encode.h"

namespace writ::evidence {

namespace {

// How often a check tells its progress.
constexpr std::uint64_t kProgressEvery = 4096;

}  // namespace

namespace {

Checker::ReadAgain reading(const ledger::LogReader& log) {
    return [&log](std::uint64_t index) { return log.entry(index).value_or(std::string()); };
}

}  // namespace

CheckReport check(const ledger::LogReader& log,
                  const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    Checker checker(log.minimum_index() == 0);
    const std::uint64_t size = log.checkpoint().size;
    const Status read = log.entries(0, [&](std::uint64_t index, std::string_view bytes) {
        checker.feed(index, bytes, leaf_hash(bytes));
        if (progress && index % kProgressEvery == 0) progress(index, size);
        return true;
    });
    CheckReport report = checker.finish(reading(log));
    if (!read) report.findings.push_back("the log cannot be read: " + read.error().message());
    if (progress) progress(size, size);
    return report;
}

LogCheck check_all(const ledger::LogReader& log,
                   const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    LogCheck out;
    Checker checker(log.minimum_index() == 0);
    out.tree = log.verify(progress, [&](std::uint64_t index, std::string_view entry,
                                        const Sha256& leaf) { checker.feed(index, entry, leaf); });
    if (out.tree.findings.empty()) out.events = checker.finish(reading(log));
    return out;
}

}  // namespace writ::evidence

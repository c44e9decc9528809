// A small log with one stand-alone proof, for other people's checkers: `log_sample DIR` leaves
// `entry`, `proof.tlog-proof` and `log.vkey` in DIR.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "ledger/ledger.h"
#include "ledger/reader.h"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    namespace fs = std::filesystem;
    const fs::path dir(argv[1]);
    fs::remove_all(dir);
    writ::SystemClock clock;
    writ::ledger::Options options;
    options.dir = dir / "data";
    options.origin = "sample.example/log";
    auto ledger = writ::ledger::Ledger::open(options, writ::crypto::Ed25519Key::generate(), clock);
    if (!ledger) return 1;
    for (int i = 0; i < 1'000; ++i)
        (*ledger)->append("entry number " + std::to_string(i), [](const auto&) {});
    if (!(*ledger)->flush()) return 1;
    const auto log =
        writ::ledger::LogReader::open(dir / "data/log/default/node", (*ledger)->vkey());
    if (!log) return 1;
    const auto proof = log->proof(678);
    const auto entry = log->entry(678);
    if (!proof || !entry) return 1;
    std::ofstream(dir / "proof.tlog-proof") << *proof;
    std::ofstream(dir / "entry") << *entry;
    std::ofstream(dir / "log.vkey") << (*ledger)->vkey();
    return 0;
}

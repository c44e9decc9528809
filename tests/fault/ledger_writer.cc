// What the fault tests run on a failing disk: `ledger_writer DIR COUNT` appends COUNT entries, one
// after the other, and prints one line each: `ok INDEX` or `no MESSAGE`. Ends with
// `health WRITABLE REASON` and 0; 1 when the log does not open.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "ledger/ledger.h"

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    writ::SystemClock clock;
    writ::ledger::Options options;
    options.dir = argv[1];
    options.origin = "test.local/fault";
    options.segment_bytes = 256 << 10;
    const writ::Bytes seed(32, 7);
    auto ledger =
        writ::ledger::Ledger::open(options, *writ::crypto::Ed25519Key::from_seed(seed), clock);
    if (!ledger) {
        std::printf("closed %s\n", ledger.error().message().c_str());
        return 1;
    }
    const int count = std::atoi(argv[2]);
    for (int i = 0; i < count; ++i) {
        const auto done = (*ledger)->append_sync("entry " + std::to_string(i));
        if (done)
            std::printf("ok %llu\n", static_cast<unsigned long long>(done->index));
        else
            std::printf("no %s\n", done.error().message().c_str());
        std::fflush(stdout);
    }
    const auto health = (*ledger)->health();
    std::printf("health %d %s\n", health.writable ? 1 : 0, health.reason.c_str());
    return 0;
}

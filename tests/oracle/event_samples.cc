// Writes one event of every type, as the Recorder makes them, to the file named by its argument:
// one leaf a line, byte for byte. The schema test reads them.

#include <cstdio>
#include <fstream>

#include "evidence/samples.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: event_samples FILE\n", stderr);
        return 2;
    }
    writ::evidence::testing::Rig rig;
    writ::evidence::testing::record_everything(rig);
    std::ofstream out(argv[1], std::ios::binary);
    for (const auto& leaf : rig.ledger.entries) out << leaf << '\n';
    return out.flush() ? 0 : 1;
}

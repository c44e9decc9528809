// Writes one event of every type, as the Recorder makes them, to the file named by its argument:
// one leaf a line, byte for byte; to a second file the same as OCSF. The schema tests read them.

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "evidence/export.h"
#include "evidence/leaf.h"
#include "evidence/samples.h"

namespace {

bool write_ocsf(std::ostream& out, const std::string& entry, std::uint64_t index) {
    const auto leaf = writ::evidence::read_leaf(entry);
    if (!leaf) return false;
    out << writ::evidence::to_ocsf(*leaf, entry, {"writ.local/log/acme/gw-1", index}).dump()
        << '\n';
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::fputs("usage: event_samples FILE [OCSF_FILE]\n", stderr);
        return 2;
    }
    writ::evidence::testing::Rig rig;
    writ::evidence::testing::record_everything(rig);
    std::ofstream out(argv[1], std::ios::binary);
    for (const auto& leaf : rig.ledger.entries) out << leaf << '\n';
    if (argc == 2) return out.flush() ? 0 : 1;
    std::ofstream ocsf(argv[2], std::ios::binary);
    for (std::uint64_t i = 0; i < rig.ledger.entries.size(); ++i) {
        std::string entry = rig.ledger.entries[i];
        if (!write_ocsf(ocsf, entry, i)) return 1;
        // Types that nothing emits yet, so that every class has a sample.
        for (const auto& [from, to] :
             {std::pair{"\"identity.issued\"", "\"delegation.granted\""},
              std::pair{"\"identity.renewed\"", "\"delegation.attenuated\""},
              std::pair{"\"call.decided\"", "\"egress.requested\""},
              std::pair{"\"call.ended\"", "\"egress.completed\""}}) {
            std::string other = entry;
            const auto at = other.find(from);
            if (at == std::string::npos) continue;
            other.replace(at, std::string_view(from).size(), to);
            if (!write_ocsf(ocsf, other, i)) return 1;
        }
    }
    return out.flush() && ocsf.flush() ? 0 : 1;
}

// Why did this run go wrong? Compares it with the last good run of the same agent and ranks the
// four causes that people ask about. It ranks, it does not judge: every cause comes with the events
// that speak for it, and one without any is not named.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evidence/log_index.h"
#include "json/node.h"

namespace writ::evidence {

enum class Suspect : std::uint8_t {
    kUserInput,     // the prompt or the purpose is another
    kInstructions,  // the charter is: model, system instructions or tool list
    kTools,         // a definition changed, a server failed, the configuration was changed
    kAccess,        // policies, grants, domains or credentials are others
};
std::string_view name(Suspect suspect);

struct Sign {
    std::string event;  // that says so
    std::string what;   // in words, inert
    int weight = 0;
};
struct Suspicion {
    Suspect suspect = Suspect::kUserInput;
    int weight = 0;
    std::vector<Sign> signs;  // strongest first
};
struct Explanation {
    std::string agent, session, good_session;  // good_session: empty if there is none
    std::string first_trouble, trouble_event;  // what went wrong first; empty: nothing did
    std::vector<Suspicion> ranked;             // heaviest first
};

// `what`: as for a trace; the session of the first trouble in it is explained. Errors: kNotFound,
// those of the index and the log.
Result<Explanation> explain(LogIndex& index, std::string_view what);
json::Node to_json(const Explanation& explanation);
std::string render(const Explanation& explanation);

}  // namespace writ::evidence

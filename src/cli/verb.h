// One row per verb: `writ VERB …`. Each verb is one file; main() builds the parser from the table
// and runs what was asked.
//
// Exit codes, the same everywhere: 0 done; 1 refused or failed; 2 wrong usage or a broken file; 3
// the gateway cannot be reached; 4 a check found something wrong. `writ run` exits with its
// command's code.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "json/node.h"

namespace CLI {
class App;
}

namespace writ::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNoGateway = 3;
inline constexpr int kFound = 4;

// What every verb shares: set by global options before a verb runs.
struct Context {
    std::string config;     // --config
    std::string socket;     // --socket: the operators' socket; empty = from the configuration
    bool json = false;      // --json
    int exit_code = kDone;  // what main returns
};

struct Verb {
    const char* name;
    const char* help;  // one line
    void (*add)(CLI::App& app,
                Context& context);  // adds options; its callback sets context.exit_code
};

const std::vector<Verb>& verbs();
// Parses `argv` and runs one verb. Returns the exit code.
int main(int argc, char** argv);

// Prints `error` to stderr as `writ: …` (or as JSON to stdout with --json) and returns the exit
// code that fits.
int report(const Context& context, const Error& error);
// Prints a JSON document to stdout: one line with --json, indented otherwise; foreign text in it as
// `\u` escapes.
void print_json(const Context& context, const json::Node& node);
// Wraps a --json answer: {"schema":"writ.<what>/<version>", …}.
json::Node versioned(std::string_view what, json::Node body, int version = 1);

void add_up(CLI::App& app, Context& context);
void add_reload(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_task(CLI::App& app, Context& context);
void add_policy(CLI::App& app, Context& context);
void add_catalog(CLI::App& app, Context& context);
void add_evidence(CLI::App& app, Context& context);
void add_evidence_fetch(CLI::App& app, Context& context);  // under `evidence`
void add_witness(CLI::App& app, Context& context);

}  // namespace writ::cli

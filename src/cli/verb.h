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
#include "cli/command.h"
#include "json/node.h"

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
    const char* help;                            // one line
    void (*add)(Command app, Context& context);  // adds options, and what runs
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

void add_up(Command app, Context& context);
void add_reload(Command app, Context& context);
void add_run(Command app, Context& context);
void add_task(Command app, Context& context);
void add_policy(Command app, Context& context);
void add_catalog(Command app, Context& context);
void add_evidence(Command app, Context& context);
void add_evidence_fetch(Command app, Context& context);  // under `evidence`
void add_witness(Command app, Context& context);

}  // namespace writ::cli

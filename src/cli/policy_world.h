// What the verbs of `writ policy` work on when no gateway is asked: the configuration, the policy
// files, a saved catalog (`writ catalog export`), and an engine made of them.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cli/verb.h"
#include "policy/scenario.h"

namespace writ::cli {

struct PolicyOptions {
    std::string folder;   // of *.cedar files; empty: the configuration's
    std::string catalog;  // a saved catalog; empty: `catalog.json` beside the configuration, or the
                          // running gateway's
};

struct PolicyWorld {
    policy::World world;
    policy::EngineOptions options;
    std::filesystem::path folder;
    std::vector<std::pair<std::string, std::string>> files;
    std::string catalog_from;  // empty: no tool is known
};

// Everything but the engine, so that a verb can say what is wrong with the files. Errors:
// kNotFound, kInvalid with place, kTooLarge, kIo.
Result<PolicyWorld> open_policy_world(const Context& context, const PolicyOptions& options);
// Adds the engine. Errors: as policy::Engine::make(); type errors are in its report.
Status make_engine(PolicyWorld& world);

// Sub-verbs, each in its file.
void add_policy_check(Command app, Context& context);
void add_policy_authorize(Command app, Context& context);
void add_policy_explain(Command app, Context& context);
void add_policy_test(Command app, Context& context);
void add_policy_schema(Command app, Context& context);
void add_policy_fmt(Command app, Context& context);
void add_policy_diff(Command app, Context& context);

// Adds the positional folder and --catalog.
void add_world_options(Command verb, const std::shared_ptr<PolicyOptions>& options);

}  // namespace writ::cli

// The flags that describe one call, and how an explanation is shown.
#pragma once

#include <memory>
#include <string>

#include "cli/verb.h"
#include "json/value.h"
#include "policy/scenario.h"

namespace writ::cli {

struct AskOptions {
    std::string agent, subject, purpose, tool, arguments = "{}", grants, now, from_file;
    bool charter_changed = false;
};

void add_ask_options(Command verb, const std::shared_ptr<AskOptions>& options);
// The call that the flags, or the first case of --request FILE, describe. Errors: kInvalid.
Result<policy::Scenario> scenario_of(const AskOptions& options);
// `@FILE` gives the file's text. Errors: kInvalid.
Result<std::string> text_or_file(std::string text);

// Prints what Engine::explain() answered, with `changes` if they are there.
void print_explanation(const json::Value& root);

}  // namespace writ::cli

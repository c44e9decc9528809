// A decision as the log has it: for explanations of what was decided in the past.
#pragma once

#include <optional>
#include <string>

#include "cli/verb.h"

namespace writ::cli {

struct Recalled {
    std::string event, call, task, time, tool;
    std::string verdict, code, reason, policy_set;
    std::string data;                      // the event's data, JSON
    std::optional<std::string> arguments;  // from the vault, where this process may read it
    json::Node to_node() const;
};

// Finds call.decided by its event id or its call's id. Reads the whole log once. Errors: kNotFound,
// and what opening the log gives.
Result<Recalled> recall(const Context& context, const std::string& id);
void print_recalled(const Recalled& recalled);

}  // namespace writ::cli

// Reads a log back as events: the causal tree of a task, and the checks that only someone who knows
// events can do. Works on files alone (ledger::LogReader); the vault is optional and only adds the
// bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "evidence/vault.h"
#include "json/node.h"
#include "ledger/reader.h"

namespace writ::evidence {

// One event of the trail with its place; `json` is the leaf's exact bytes.
struct TrailEvent {
    std::uint64_t index = 0;
    std::string id, type, session, task, call;
    std::int64_t t_us = 0;
    std::string json;
    std::vector<std::string> causes;  // ids it points to
};

struct TraceNode {
    TrailEvent event;
    std::vector<TraceNode> effects;  // events that name it as (first) cause, in order
};

struct Trace_ {  // NOLINT: distinct from the W3C Trace of event.h
    std::vector<TraceNode> roots;
    std::size_t events = 0;
};

// All events connected to `id` (a task, session, call or event id): for a task, its whole tree of
// tasks. Errors: kNotFound.
Result<Trace_> trace(const ledger::LogReader& log, std::string_view id);
// For a terminal: one line an event, indented by cause, with verdict and reasons; foreign text
// inert. With `vault`, the payloads' first bytes too.
std::string render(const Trace_& trace, Vault* vault);
json::Node to_json(const Trace_& trace);

struct CheckReport {
    std::uint64_t events = 0;
    std::uint64_t sessions = 0, open_sessions = 0;
    std::vector<std::string> findings;  // empty: all holds
};
// What the tree alone cannot show: every leaf canonical and of a known type, emitter sequences
// without holes, session chains linked and sealed with the right counts, causes that point
// backwards to events that exist, every call.ended with exactly one permitting call.decided.
CheckReport check(const ledger::LogReader& log,
                  const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

}  // namespace writ::evidence

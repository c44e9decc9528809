// Reads a log back as events: the causal tree around anything that has a name, and the checks that
// only someone who knows events can do. Works on files alone (ledger::LogReader); the vault is
// optional and only adds the bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "evidence/log_index.h"
#include "evidence/payloads.h"
#include "evidence/sink.h"
#include "ledger/reader.h"

namespace writ::evidence {

// Deeper causes are shown at this depth: a long chain of causes must not exhaust the stack.
inline constexpr std::size_t kMaxTraceDepth = 64;

struct TrailCause {
    std::string rel, basis;
    Uuid id;
};

// How a person is to see an event: the verdict of a call, whether an outcome is good, whether
// something is wrong.
enum class Tone : std::uint8_t { kOther, kPermit, kForbid, kHold, kOk, kBad };

// One event of the trail with its place; `json` is the leaf's exact bytes where they were asked
// for, `summary` what it says in a few words, inert.
struct TrailEvent {
    std::uint64_t index = 0;
    Uuid id;
    std::int64_t t_us = 0;
    Tone tone = Tone::kOther;
    std::string type;
    std::string json;
    std::string summary;
    std::vector<TrailCause> causes;
};

// What of the leaves a trace keeps: their bytes are most of its memory. A text needs none of them,
// a page those of a small trace, JSON and payloads all.
enum class Keep : std::uint8_t { kNone, kFew, kAll };
// Beyond this many events kFew keeps none, and a page shows none: it must still open.
inline constexpr std::size_t kMaxFewLeaves = 5'000;

struct TraceNode {
    TrailEvent event;
    std::vector<TraceNode> effects;  // events that name it as (first) cause, in order
};

struct Trace_ {            // NOLINT: distinct from the W3C Trace of event.h
    std::string id, kind;  // what was asked, and what it is: task session call event token agent
                           // text
    std::vector<TraceNode> roots;
    std::size_t events = 0;
};

// Which entries belong to `what`: a task (its whole tree of tasks), a session, a call, an event, a
// token's jti; an agent (its newest sessions), or words that stand in events (a file, a URI, a
// value): the newest kMaxTextHits calls that have all of them.
struct Named {
    std::string kind;
    std::vector<std::uint64_t> indexes;  // rising
};
inline constexpr std::size_t kMaxTextHits = 20;
inline constexpr std::size_t kMaxAgentSessions = 5;
// Errors: kNotFound, those of the index and the log.
Result<Named> find_named(LogIndex& index, std::string_view what);
// find_named() with everything that it led to and everything that led to any of these.
Result<Named> find_connected(LogIndex& index, std::string_view what);

Result<Trace_> trace(LogIndex& index, std::string_view what, Keep keep = Keep::kAll);
// The same over an index made for this once.
Result<Trace_> trace(const ledger::LogReader& log, std::string_view what);

// For a terminal: one line an event, indented by cause, with verdict and reasons; foreign text
// inert. With `payloads`, their first bytes too (the trace must have kept its leaves). Errors: the
// sink's.
Status render(const Trace_& trace, PayloadReader* payloads, const Sink& sink);
// One canonical JSON object with the exact leaves, `schema` among its members if not empty.
Status to_json(const Trace_& trace, PayloadReader* payloads, std::string_view schema,
               const Sink& sink);
// One HTML file that needs nothing else: no script from elsewhere, no picture, no font; its
// Content-Security-Policy forbids loading any. Foreign text is escaped. It shows the leaves that
// the trace has kept.
Status to_html(const Trace_& trace, PayloadReader* payloads, std::string_view origin,
               const Sink& sink);

struct CheckReport {
    std::uint64_t events = 0;
    std::uint64_t sessions = 0, open_sessions = 0;
    std::vector<std::string> findings;  // empty: all holds
};
// What the tree alone cannot show: every leaf canonical and of a known type, emitter sequences
// without holes, time that does not go back, session chains linked and sealed with the right
// counts, causes that point backwards to events that exist, every call.ended with exactly one
// permitting call.decided.
CheckReport check(const ledger::LogReader& log,
                  const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

// LogReader::verify() and check() in one pass over the entries. Where the tree has findings, the
// events are not spoken of.
struct LogCheck {
    ledger::LogReader::Report tree;
    CheckReport events;
};
LogCheck check_all(const ledger::LogReader& log,
                   const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

}  // namespace writ::evidence

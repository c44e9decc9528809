// The events the gate writes, as pure functions: they read nouns and return a draft for the
// Recorder. Names and fields are those of docs/spec/evidence. Text that came from outside is cut to
// the bounds below, so that no caller can make a decision too large to be recorded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "evidence/event.h"
#include "gate/gate.h"
#include "gate/passage.h"
#include "gate/standing.h"

namespace writ::gate::events {

// Bounds of foreign text inside one event of kMaxEventBytes; the whole arguments are in the vault.
inline constexpr std::size_t kMaxNameBytes = 256;
inline constexpr std::size_t kMaxUriBytes = 2048;
inline constexpr std::size_t kMaxReasonBytes = 1024;
inline constexpr std::size_t kMaxListEntries = 16;

// At most `bytes_max` bytes of `text`, cut between characters and marked with `…`.
std::string clip(std::string_view text, std::size_t bytes_max);

// The actor of everything a session does. `subject` is whom it acts for, already a pseudonym if a
// person.
evidence::Actor actor_of(const identity::Session& session, evidence::Behalf subject);
// Writ acting by itself (a limit, a deadline).
evidence::Actor by_writ();

// `subject` as it may stand in a leaf: a pseudonym or a SPIFFE id.
evidence::Draft task_started(const identity::Task& task, evidence::ActorRef by,
                             std::string subject);
evidence::Draft task_ended(const identity::Task& task, identity::TaskState how,
                           evidence::ActorRef by, std::string_view reason, const Spent& spent);
evidence::Draft session_started(const identity::Session& session, evidence::ActorRef actor);
evidence::Draft identity_issued(const identity::Session& session, evidence::ActorRef actor);
// `calls` are all decisions, `denied` the refusals among them; the Recorder adds `events`.
// `reason`: what ended it, in words; the schema's word for it is the Recorder's argument.
evidence::Draft session_sealed(const identity::Session& session, evidence::ActorRef actor,
                               std::string_view reason, const Spent& spent);
evidence::Draft call_decided(const Passage& passage, evidence::ActorRef actor);
evidence::Draft call_inward(const Passage& passage, evidence::ActorRef actor, const Inward& request,
                            const policy::Verdict& verdict);
// Places of the answer that a policy's @redact changed, and lent secrets taken out of it.
evidence::Draft obligation_fulfilled(const Passage& passage, evidence::ActorRef actor,
                                     std::size_t redacted, std::size_t withheld);
// `now_boot_us` gives the duration.
// What the gate itself saw of a call, against which the decision is held.
struct Seen {
    bool redefined = false;  // the server gave the tool another definition meanwhile
    bool unfulfilled =
        false;  // an answer went back that what the permit obliges to has not seen whole
};
evidence::Draft call_ended(const Passage& passage, evidence::ActorRef actor, Outcome outcome,
                           std::int64_t now_boot_us, Seen seen);
// What an earlier run of the gateway left behind and this one closes.
evidence::Draft call_lost(const CallStanding& call, evidence::ActorRef actor, std::string_view why);
evidence::Draft session_lost(const SessionStanding& session, std::string_view reason);
evidence::Draft task_lost(const TaskStanding& task, identity::TaskState how,
                          std::string_view reason);
// Refusals of callers nobody knows, counted by code since the last such event.
evidence::Draft strangers(const std::map<std::string, std::int64_t, std::less<>>& refused,
                          std::int64_t since_us);

}  // namespace writ::gate::events

// The one way through (docs/architecture.md, section 2). Doors turn their protocol into a Call; the
// gate answers with an Admission, a Refusal or Parked, having made the decision durable first.
//
//   gate::Call call = …;
//   gate::Answer answer = co_await gate.admit(std::move(call));
//   if (auto* refusal = std::get_if<gate::Refusal>(&answer)) …tell the caller…
//   auto admission = std::move(std::get<gate::AdmissionPtr>(answer));
//   if (auto go = admission->depart(); !go) …revoked meanwhile…      // just before the first byte
//   leaves …forward call bytes, pass the answer through chunk()… co_await
//   admission->close(outcome);                              // records call.ended
//
// A task tree has a home reactor (hash of the root task): budget, call counts and evidence chain
// are touched there only. admit() may be awaited from any reactor; it hops there and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "catalog/catalog.h"
#include "evidence/recorder.h"
#include "gate/counts.h"
#include "identity/directory.h"
#include "net/reactor.h"
#include "net/task.h"
#include "policy/policy.h"

namespace writ::gate {

enum class CallKind : std::uint8_t { kTool, kRetrieval, kModel, kEgress, kInward };

// One attempted action, as a door made it. Owns the bytes it was parsed from.
struct Call {
    CallKind kind = CallKind::kTool;
    std::string door;  // `mcp`
    identity::SessionPtr
        session;       // from the connection or the token; null is refused as unauthenticated
    std::string tool;  // exposed name as the caller wrote it
    std::string arguments = "{}";  // raw JSON bytes, forwarded unchanged
    // The arguments as the door has read them, in a Document that is there until admit() returns;
    // without, they are read again.
    std::optional<json::Value> read = std::nullopt;
    std::int64_t attempt = 1;
    std::optional<CallId> retry_of;
    evidence::Trace trace;
};

enum class RefusalKind : std::uint8_t {
    kUnauthenticated,  // dead task, bad credential: 401
    kUnknown,          // not granted or no such tool: exactly alike
    kForbidden,        // granted, but forbidden, held or over budget: isError with `advice`
    kUnrecordable,     // evidence cannot be written
    kInvalid,          // arguments refused
};

struct Refusal {
    RefusalKind kind = RefusalKind::kUnknown;
    policy::Verdict verdict;
    std::string advice;  // what the caller may be told
    std::optional<CallId> call;
    std::optional<evidence::Receipt> receipt;
};

// A person must decide. Until approvals exist, admit() never returns it: a hold is a Refusal with
// code `held`.
struct Parked {
    CallId call;
};

enum class Status_ : std::uint8_t {
    kOk,
    kToolError,
    kProtocolError,
    kTimeout,
    kCancelled,
    kBlocked,
    kUnknown
};  // NOLINT
std::string_view name(Status_ status);
std::string_view name(RefusalKind kind);

// How a call ended, as the door saw it.
struct Outcome {
    Status_ status = Status_::kUnknown;
    std::string error;   // short, without foreign text beyond 200 bytes
    std::string output;  // the bytes that went back, for the vault
};

// What an upstream asks of the client meanwhile.
struct Inward {
    std::string method;  // sampling/createMessage, elicitation/create, roots/list
    std::string params = "{}";
};

class Admission {
  public:
    virtual ~Admission() = default;  // not closed by then: closes as `unknown`
    virtual const CallId& call() const = 0;
    virtual const catalog::Tool& tool() const = 0;
    virtual const identity::Session& session() const = 0;
    virtual const std::string& arguments() const = 0;
    virtual const evidence::Receipt& receipt() const = 0;
    // Revocation and policy epochs, again; to be called right before the first byte leaves. Errors:
    // kUnauthenticated (dead), kForbidden (the policies changed and forbid it now), kCancelled (the
    // gate closed it). Thread: any.
    virtual Status depart() = 0;
    // Decides what the upstream asks of the client, under the same call id. Nothing is permitted
    // inward yet: every answer is a Refusal.
    virtual net::Task<std::variant<Refusal, std::monostate>> inward(Inward request) = 0;
    // Waits until the decision is durable; for all but declared reads it was before admit()
    // returned (architecture, rule 1). receipt() may be read afterwards. Errors: kUnavailable (it
    // could not be recorded: whatever came back is dropped, nothing of it may be told).
    virtual net::Task<Status> settled() { co_return Status(); }
    // Passes output through observe, after settled(); returns the bytes that may be released now.
    // What must be seen whole is held back, until rest(). Errors: those of settled(), kTooLarge
    // (more than kMaxUpstreamMessageBytes, or than the policy's cap), kUnauthenticated (the task
    // died meanwhile: stop the stream), kCancelled (the gate closed it).
    virtual net::Task<Result<std::string>> chunk(std::string bytes) = 0;
    // A whole message beside the answer (progress, a log line): inspected by itself, as if it were
    // an answer, and released at once. Errors: as chunk(), kInvalid (it cannot be redacted).
    virtual net::Task<Result<std::string>> aside(std::string message) {
        return chunk(std::move(message));
    }
    // The answer is whole: what chunk() has held back. Errors: as chunk(), kInvalid (it cannot be
    // redacted: nothing of it may be told).
    virtual net::Task<Result<std::string>> rest() { co_return std::string(); }
    // Records call.ended, and resumes once that outlives the process (Recorder::record_end). A
    // second close is a broken invariant. Errors: kUnavailable, kTooLarge
    // (not recorded), kCancelled (the gate closed it before: its task died or its deadline passed;
    // call.ended stands already).
    virtual net::Task<Status> close(Outcome outcome) = 0;
};
using AdmissionPtr = std::unique_ptr<Admission>;
using Answer = std::variant<Refusal, AdmissionPtr, Parked>;

// What a task has used; debited at the home reactor.
struct Spent {
    std::int64_t calls = 0, denied = 0;
    std::int64_t excused = 0;  // of the denied, those that say nothing about the agent: a tool
                               // whose server had not started yet
    // What counts towards the limits of denials.
    std::int64_t strikes() const { return denied > excused ? denied - excused : 0; }
};
inline constexpr std::string_view kUnavailableCode = "unavailable";

struct Home {  // one per reactor
    net::Reactor* reactor = nullptr;
    evidence::Recorder* recorder = nullptr;
};

class Secrets;   // secrets.h
class Survival;  // survival.h

class Gate {
  public:
    // Everything referred to must outlive it, and it must outlive every Admission. It is destroyed
    // after its reactors have stopped. `pseudonym` gives what stands for a person, named as in
    // a task's subject (`person:<login>`), in a leaf (evidence::pseudonym); without it every
    // person is `ps:none`.
    static std::unique_ptr<Gate> make(std::vector<Home> homes, identity::Directory& directory,
                                      catalog::Catalog& catalog,
                                      std::shared_ptr<const policy::Engine> engine, IdSource& ids,
                                      const Clock& clock,
                                      std::function<std::string(std::string_view)> pseudonym = {});
    virtual ~Gate() = default;

    // Decides one call and records the decision before it returns. May be awaited on any reactor
    // of a home, and resumes there; awaited elsewhere, it resumes at the tree's home.
    virtual net::Task<Answer> admit(Call call) = 0;
    // Tools that some call of this session could be permitted or held for, in catalog order
    // (policy::Engine::possible). Kept between listings; a call asks nothing of it.
    virtual net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> visible(
        identity::SessionPtr session) = 0;
    // Whether `server` is there for this session: a tool of it is visible(), or may be once the
    // server has listed its tools. Until then what was accepted before tells which there are; of a
    // server that has never listed, that the grants of the whole chain name some tool of it.
    virtual net::Task<bool> serves(identity::SessionPtr session, std::string server) = 0;
    // A request was answered 401 before there was a call: `session` is dead, or null where no
    // credential was good. Counted, and recorded as admit() does for those who are nobody: one
    // event a minute (limit.tripped). Thread: any.
    virtual void turned_away(const identity::SessionPtr& session) = 0;
    // Swaps the policies: calls decided from now on use them; admissions that have not departed are
    // re-checked. Thread: any.
    virtual void set_engine(std::shared_ptr<const policy::Engine> engine) = 0;
    virtual std::shared_ptr<const policy::Engine> engine() const = 0;
    // Values that must not come back in any output, for calls decided from now on. Thread: any.
    virtual void guard(std::shared_ptr<const Secrets> /*secrets*/) {}
    virtual Home home(const TaskId& root) const = 0;
    // What `task` and all below it have used; for a root, the tree. Hops home.
    virtual net::Task<Spent> spent(TaskId task) = 0;
    // Sets that again after a restart, one call a task (each counts its own subtree).
    virtual net::Task<void> restore(TaskId task, Spent spent) = 0;
    // Expires what the clock has passed (Directory::sweep) and records it; closes admissions that
    // are past their deadline. To be called about every second; each home also looks after its
    // admissions by itself. Errors: kUnavailable (done, but not recorded).
    virtual net::Task<Status> sweep() = 0;
    // Start and end tasks and sessions with their evidence: task.started, session.started,
    // identity.issued, session.sealed, task.ended. What cannot be recorded is not started: the
    // task or session is dead when an error comes back. Errors: as Directory, kUnavailable.
    virtual net::Task<Result<identity::TaskPtr>> start_task(identity::TaskSpec spec,
                                                            evidence::Actor by,
                                                            identity::TaskPtr parent) = 0;
    // Acts in memory first, then closes the open calls of the sessions that died, seals their
    // chains and records task.ended for the task and all below it, then returns. Errors: kNotFound,
    // kConflict (already dead), kUnavailable (dead, but not recorded).
    virtual net::Task<Status> end_task(TaskId id, identity::TaskState how, evidence::Actor by,
                                       std::string reason) = 0;
    virtual net::Task<Result<identity::SessionPtr>> open_session(identity::TaskPtr task,
                                                                 identity::Binding binding,
                                                                 std::string bound_to) = 0;
    // Errors: kConflict (sealed already), kUnavailable (dead, but not recorded).
    virtual net::Task<Status> end_session(identity::SessionPtr session, std::string reason) = 0;

    // What it has done since the start. Thread: any.
    virtual Totals totals() const { return {}; }

    // How it outlives the process; nothing for gates that do not.
    virtual Survival* survival() { return nullptr; }
};

}  // namespace writ::gate

// The nouns of identity: agents, task specifications, tasks, sessions (docs/architecture.md,
// section 1).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "json/node.h"

namespace writ::identity {

// A registered non-human actor.
struct Agent {
    std::string name;       // [a-z0-9][a-z0-9-]{0,62}
    std::string spiffe_id;  // spiffe://<trust domain>/agent/<name>
    std::string owner;      // the accountable person's login
    std::vector<std::string> groups;
    std::string charter;  // sha256:… of instructions, model and tool list; empty if not declared
    bool operator==(const Agent&) const = default;
};

enum class Role : std::uint8_t { kViewer, kAuditor, kApprover, kAuthor, kOperator, kLauncher };
inline constexpr std::array kRoles = {Role::kViewer, Role::kAuditor,  Role::kApprover,
                                      Role::kAuthor, Role::kOperator, Role::kLauncher};
// `viewer`, `auditor`, … as configuration and the API write them.
std::string_view name(Role role);
std::optional<Role> role_from(std::string_view text);
struct Person {
    std::string login;
    std::optional<std::uint32_t> uid;
    std::vector<Role> roles;
    bool has(Role role) const;
    bool operator==(const Person&) const = default;
};

// One grant of a task: what it names may be done, if `when` (a Cedar expression on the call) holds.
struct Grant {
    std::vector<std::string> tools;    // `server/tool` or `server/*`
    std::vector<std::string> domains;  // empty: any domain the policy allows
    std::string when;                  // Cedar expression; empty = always
    std::int64_t expires_s = 0;        // Unix seconds; 0 = with the task
};

struct Budget {
    std::int64_t calls = 0;  // 0 = no bound of its own
    bool operator==(const Budget&) const = default;
};

// What a launcher asks for. JSON and TOML use these names.
struct TaskSpec {
    std::string agent;    // agent name
    std::string subject;  // `person:<login>` or `agent:<name>`
    std::string purpose;
    std::string prompt;  // the subject's own words
    std::vector<Grant> grants;
    Budget budget;
    std::int64_t deadline_s = 0;  // seconds from start; 0 = kDefaultTaskLifetime_s
    std::int64_t depth_max = 0;   // how deep sub-tasks may go below this one
    json::Node to_json() const;
    // Unknown members, wrong types and out-of-range numbers are refused, naming the member. Errors:
    // kInvalid.
    static Result<TaskSpec> from_json(const json::Value& value);
};

enum class TaskState : std::uint8_t { kLive, kEnded, kRevoked, kExpired };
// `live`, `ended`, `revoked`, `expired`.
std::string_view name(TaskState state);
std::optional<TaskState> task_state_from(std::string_view text);

// One job. Immutable but for `state` and the links; shared between the directory, its sessions and
// calls in flight.
struct Task {
    TaskId id, root;
    std::optional<TaskId> parent;
    std::int64_t depth = 0;
    TaskSpec spec;
    std::shared_ptr<const Agent> agent;
    std::shared_ptr<const Task> parent_task;  // null at the root
    EventId started_event;                    // cause of what follows
    std::int64_t started_us = 0;
    std::int64_t deadline_us = 0;       // wall, for claims
    std::int64_t deadline_boot_us = 0;  // what is compared
    mutable std::atomic<TaskState> state{TaskState::kLive};
    // Live means: neither this task nor any ancestor is dead, and the deadline has not passed.
    bool live(std::int64_t boot_us) const;
};

enum class Binding : std::uint8_t { kUnixPeer, kBearer };

// One holder's run inside one task. Immutable but for `ended`.
struct Session {
    SessionId id;
    WritId writ;  // jti of its credential
    std::shared_ptr<const Task> task;
    Binding binding = Binding::kUnixPeer;
    std::string bound_to;  // `pid:123` …, for evidence
    EventId started_event;
    std::int64_t issued_us = 0;
    mutable std::atomic<std::int64_t> expires_us{0};  // wall
    mutable std::atomic<std::int64_t> expires_boot_us{
        0};  // compared; renewed while the holder lives
    mutable std::atomic<bool> ended{false};
    bool live(std::int64_t boot_us) const;
};

using SessionPtr = std::shared_ptr<const Session>;
using TaskPtr = std::shared_ptr<const Task>;

}  // namespace writ::identity

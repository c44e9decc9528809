// One evidence event, as docs/spec/evidence/event.schema.json has it: the leaf of the ledger is its
// canonical JSON (RFC 8785 restricted to integers), at most kMaxEventBytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "crypto/hash.h"
#include "json/node.h"

namespace writ::evidence {

enum class Basis : std::uint8_t { kObserved, kAsserted, kInferred };
std::string_view name(Basis basis);

// A typed edge to an earlier event. `rel` is one of the schema's words (requested_by, decided_by,
// result_of, spawned_by, …).
struct Cause {
    std::string rel;
    EventId id;
    Basis basis = Basis::kObserved;
};

// W3C trace context. The gateway's own trace; what the client sent is `peer`: linked, never the
// parent.
struct Trace {
    std::array<std::uint8_t, 16> trace_id{};
    std::array<std::uint8_t, 8> span_id{};
    std::string peer;  // the client's traceparent, at most 256 bytes, or empty
    static Trace start();
    // W3C trace context forbids ids of zeros only.
    bool valid() const;
};

struct Behalf {
    std::string kind;  // human | agent | service
    std::string sub;   // people as pairwise pseudonyms `ps:…`, agents by SPIFFE id
};

struct CredentialRef {
    std::string kind;  // writ | unix-peer
    std::string uid;   // jti or the connection's name, never the secret
    std::int64_t iat = 0, exp = 0;
    std::string cnf;  // what it is bound to: `pid:<pid>@<boot>`, `jkt:…`
};

// Who acted.
struct Actor {
    std::string agent;           // SPIFFE id, empty when a person acted on Writ itself
    std::string agent_instance;  // the session's short name
    std::string charter;         // `sha256:…` or empty
    std::vector<Behalf> on_behalf_of;
    std::optional<CredentialRef> credential;
    std::string op;  // pseudonym of a person acting on Writ, or `writ` itself
};

// An Actor that many events share, never null, written once: an event of a call copies none of it.
class ActorRef {
  public:
    ActorRef();  // nobody, which reads as Writ itself
    // NOLINTNEXTLINE(google-explicit-constructor): whoever has an Actor has this
    ActorRef(Actor actor);
    const Actor& operator*() const { return held_->actor; }
    const Actor* operator->() const { return &held_->actor; }
    // As it stands in a leaf: one canonical object.
    const std::string& text() const { return held_->text; }
    // leaf_hash() of a leaf with this actor, of which the actor's part is hashed already.
    Sha256 leaf_hash(std::string_view leaf) const { return held_->opening.digest(as_bytes(leaf)); }

  private:
    struct Held {
        explicit Held(Actor a);
        Actor actor;
        std::string text;
        crypto::HashedBeginning opening;
    };
    std::shared_ptr<const Held> held_;
};

// Bytes that go to the vault; the event carries only a reference and a keyed commitment.
struct Payload {
    std::string role;  // prompt args result tool_list policy config note
    std::string bytes;
    std::string_view media_type = "application/json";  // static text
};

// What a room hands to the Recorder. The Recorder fills v, id, t_us, tenant, emitter and chain.
struct Draft {
    std::string type;           // call.decided, call.ended, task.started, …
    std::optional<EventId> id;  // chosen beforehand when others must refer to it; else minted
    std::optional<SessionId> session;
    std::optional<TaskId> task;
    std::optional<CallId> call;
    std::int64_t attempt = 1;  // written only with a call
    Basis basis = Basis::kObserved;
    bool excused = false;  // a call.decided that refuses and is no strike against its session
    std::vector<Cause> cause;
    std::optional<Trace> trace;
    ActorRef actor;
    json::Node data = json::Node::object();
    // `data` where it was written straight to text (json::Writer): one canonical object, taken
    // instead.
    std::string data_text;
    std::string_view verdict;  // of a call.decided: `permit`, `forbid` or `hold`; static text
    std::vector<Payload> payloads;
};

// What is known of an event once it is durable: a receipt can be handed to the caller.
struct Receipt {
    EventId event;
    std::string origin;  // of the log
    std::uint64_t index = 0;
    Sha256 leaf{};
    std::int64_t t_us = 0;
};

}  // namespace writ::evidence

// Standings as the store keeps them.
#include <utility>

#include "gate/standing.h"

namespace writ::gate {

namespace {

json::Node spent_node(const Spent& spent) {
    json::Node out = json::Node::object();
    out["calls"] = spent.calls;
    out["denied"] = spent.denied;
    if (spent.excused != 0) out["excused"] = spent.excused;
    return out;
}

json::Node node(const TaskStanding& task) {
    json::Node out = json::Node::object();
    out["id"] = task.id.text();
    if (task.parent) out["parent"] = task.parent->text();
    out["spent"] = spent_node(task.spent);
    out["own_denied"] = task.own_denied;
    out["state"] = identity::name(task.state);
    return out;
}

json::Node node(const SessionStanding& session) {
    json::Node out = json::Node::object();
    out["id"] = session.id.text();
    out["writ"] = session.writ.text();
    out["task"] = session.task.text();
    out["binding"] = session.binding == identity::Binding::kBearer ? "bearer" : "unix-peer";
    out["bound_to"] = session.bound_to;
    out["event"] = session.started_event.text();
    out["issued_us"] = session.issued_us;
    out["expires_us"] = session.expires_us;
    out["next"] = session.end.next;
    out["prev"] = digest_text(session.end.prev);
    out["decided"] = session.end.calls;
    out["forbidden"] = session.end.denied;
    out["spent"] = spent_node(session.spent);
    out["counted"] = session.counted;
    return out;
}

json::Node node(const CallStanding& call) {
    json::Node out = json::Node::object();
    out["id"] = call.id.text();
    out["session"] = call.session.text();
    out["task"] = call.task.text();
    out["decision"] = call.decision.text();
    out["attempt"] = call.attempt;
    return out;
}

template <class T>
json::Node nodes(const std::vector<T>& all) {
    json::Node out = json::Node::array();
    for (const T& each : all) out.push_back(node(each));
    return out;
}

// Reads members of one object; remembers the first that is not as it should be.
class Reader {
  public:
    explicit Reader(json::Value value) : value_(value) {}

    std::string text(std::string_view key) {
        const auto found = value_.string(key);
        return std::string(found ? *found : miss<std::string_view>(key));
    }
    std::int64_t number(std::string_view key) {
        const auto found = value_.i64(key);
        return found && *found >= 0 ? *found : miss<std::int64_t>(key);
    }
    std::uint64_t count(std::string_view key) { return static_cast<std::uint64_t>(number(key)); }
    template <class I>
    I id(std::string_view key) {
        const auto found = I::parse(value_.string(key).value_or(""));
        return found ? *found : miss<I>(key);
    }
    Spent spent(std::string_view key) {
        const auto found = value_.find(key);
        if (!found) return miss<Spent>(key);
        Reader inner(*found);
        Spent out{inner.number("calls"), inner.number("denied")};
        if (found->find("excused")) out.excused = inner.number("excused");
        if (!inner.missing_.empty()) miss<int>(key);
        return out;
    }
    Sha256 digest(std::string_view key) {
        const auto found = digest_from_text(value_.string(key).value_or(""));
        return found ? *found : miss<Sha256>(key);
    }
    template <class T>
    std::vector<T> all(std::string_view key, T (*read)(Reader&)) {
        std::vector<T> out;
        const auto found = value_.find(key);
        if (!found || !found->is_array()) {
            miss<int>(key);
            return out;
        }
        for (const json::Value& each : found->elements()) {
            Reader inner(each);
            out.push_back(read(inner));
            if (!inner.missing_.empty()) miss<int>(std::string(key) + "." + inner.missing_);
        }
        return out;
    }
    json::Value value() const { return value_; }
    const std::string& missing() const { return missing_; }
    template <class T>
    T miss(std::string_view key) {
        if (missing_.empty()) missing_ = key;
        return T{};
    }

  private:
    json::Value value_;
    std::string missing_;
};

TaskStanding read_task(Reader& in) {
    TaskStanding out;
    out.id = in.id<TaskId>("id");
    if (in.value().find("parent")) out.parent = in.id<TaskId>("parent");
    out.spent = in.spent("spent");
    out.own_denied = in.number("own_denied");
    const auto state = identity::task_state_from(in.text("state"));
    out.state = state ? *state : in.miss<identity::TaskState>("state");
    return out;
}

SessionStanding read_session(Reader& in) {
    SessionStanding out;
    out.id = in.id<SessionId>("id");
    out.writ = in.id<WritId>("writ");
    out.task = in.id<TaskId>("task");
    const std::string binding = in.text("binding");
    if (binding == "bearer") out.binding = identity::Binding::kBearer;
    if (binding != "bearer" && binding != "unix-peer") in.miss<int>("binding");
    out.bound_to = in.text("bound_to");
    out.started_event = in.id<EventId>("event");
    out.issued_us = in.number("issued_us");
    out.expires_us = in.number("expires_us");
    out.end.next = in.count("next");
    out.end.prev = in.digest("prev");
    out.end.calls = in.count("decided");
    out.end.denied = in.count("forbidden");
    out.spent = in.spent("spent");
    const auto counted = in.value().boolean("counted");
    out.counted = counted ? *counted : in.miss<bool>("counted");
    return out;
}

CallStanding read_call(Reader& in) {
    return {in.id<CallId>("id"), in.id<SessionId>("session"), in.id<TaskId>("task"),
            in.id<EventId>("decision"), in.number("attempt")};
}

}  // namespace

json::Node Standing::to_json() const {
    json::Node out = json::Node::object();
    out["emitter"] = emitter;
    out["boot"] = boot;
    out["seq"] = seq;
    out["from"] = from;
    out["t_us"] = t_us;
    out["tasks"] = nodes(tasks);
    out["sessions"] = nodes(sessions);
    out["calls"] = nodes(calls);
    return out;
}

Result<Standing> Standing::from_json(const json::Value& value) {
    Reader in(value);
    Standing out;
    out.emitter = in.text("emitter");
    out.boot = in.text("boot");
    out.seq = in.count("seq");
    out.from = in.count("from");
    out.t_us = in.number("t_us");
    out.tasks = in.all<TaskStanding>("tasks", read_task);
    out.sessions = in.all<SessionStanding>("sessions", read_session);
    out.calls = in.all<CallStanding>("calls", read_call);
    if (!in.missing().empty())
        return fail(ErrorCode::kCorrupt, "a standing has no usable `" + in.missing() + "`");
    return out;
}

}  // namespace writ::gate

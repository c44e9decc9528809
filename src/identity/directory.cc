#include "identity/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>

#include "base/check.h"
#include "base/clock.h"
#include "base/inert.h"
#include "base/limits.h"
#include "identity/limits.h"
#include "identity/narrowing.h"
#include "identity/writ_token.h"

namespace writ::identity {
namespace {
constexpr std::int64_t kWritLifetime_us = kWritLifetime_s * kSecond_us;
// What the text of a writ adds to its claims: header, signature, dots.
constexpr std::size_t kWritOverheadBytes = 256;
// When room is needed, this part of the dead tasks gives way at once, so that a full directory is
// not searched at every start.
constexpr std::size_t kEvictedAtOnce = kMaxTasks / 16;

struct Entry {
    std::shared_ptr<const Task> task;
    std::set<TaskId> children;
    std::vector<SessionId> sessions;
    std::size_t spec_bytes = 0;
};

tl::unexpected<Error> unauthenticated(std::string detail) {
    return fail(ErrorCode::kUnauthenticated, std::move(detail));
}

tl::unexpected<Error> no_agent(const TaskSpec& spec) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("no agent `{}`, register it in writ.toml, [[agents]]", inert(spec.agent, 64)));
}

std::vector<jose::Jwk> keys_of(const crypto::Es256Key& key) {
    jose::Jwk jwk{key.public_key(), ""};
    jwk.kid = jwk.thumbprint();
    return {std::move(jwk)};
}

}  // namespace

struct Directory::Impl {
    DirectoryOptions options;
    crypto::Es256Key key;
    std::vector<jose::Jwk> keys;  // the one public key, as verify() wants it
    IdSource& ids;
    const Clock& clock;
    const std::int64_t anchor_us, anchor_boot_us;  // both clocks at the start

    // Guards what follows. Task::state, Session::ended and the expiries are written under it and
    // read without it; nothing else is locked while it is held, except inside IdSource.
    mutable std::shared_mutex mutex;
    std::vector<std::shared_ptr<const Agent>> agents;
    std::vector<std::shared_ptr<const Person>> people;
    std::map<TaskId, Entry> tasks;  // ids rise with time: oldest first
    std::unordered_map<SessionId, SessionPtr> sessions;
    std::size_t specs_bytes = 0;

    Impl(DirectoryOptions o, crypto::Es256Key k, IdSource& i, const Clock& c)
        : options(std::move(o)),
          key(std::move(k)),
          keys(keys_of(key)),
          ids(i),
          clock(c),
          anchor_us(c.now_us()),
          anchor_boot_us(c.boot_us()) {}

    // Wall time that never runs behind the boot clock: stepping the wall clock back does not revive
    // an expired writ.
    std::int64_t now_us() const {
        return std::max(clock.now_us(), anchor_us + (clock.boot_us() - anchor_boot_us));
    }
    WritScope scope() const { return {options.issuer, options.audience}; }
    void take_registry(std::vector<Agent> agents, std::vector<Person> people);  // under the mutex
    std::shared_ptr<const Agent> agent(std::string_view name) const;            // likewise
    Status make_room(std::size_t bytes);
    Status purge_sessions();
    void insert(std::shared_ptr<const Task> task, std::size_t bytes);
    void kill(const TaskId& id, TaskState how, Expired& died);
    Result<std::int64_t> lifetime_us(const TaskSpec& spec, const Task* parent) const;
};

std::shared_ptr<const Agent> Directory::Impl::agent(std::string_view name) const {
    for (const auto& each : agents)
        if (each->name == name) return each;
    return nullptr;
}

// Room for one more task, or kExhausted: dead ones go, oldest first.
Status Directory::Impl::make_room(std::size_t bytes) {
    const auto full = [&] {
        return tasks.size() >= kMaxTasks || specs_bytes + bytes > kMaxSpecsBytes;
    };
    if (!full()) return {};
    std::size_t evicted = 0;
    for (auto it = tasks.begin(); it != tasks.end() && (full() || evicted < kEvictedAtOnce);) {
        const Entry& entry = it->second;
        if (entry.task->state.load() == TaskState::kLive) {
            ++it;
            continue;
        }
        for (const SessionId& id : entry.sessions) sessions.erase(id);
        if (entry.task->parent)
            if (const auto up = tasks.find(*entry.task->parent); up != tasks.end())
                up->second.children.erase(it->first);
        specs_bytes -= entry.spec_bytes;
        it = tasks.erase(it);
        ++evicted;
    }
    if (full())
        return fail(ErrorCode::kExhausted,
                    fmt::format("{} tasks are alive, end some of them", tasks.size()));
    return {};
}

// Room for one more session, or kExhausted.
Status Directory::Impl::purge_sessions() {
    if (sessions.size() < kMaxSessions) return {};
    // One that expired but was not swept yet stays, so that its end gets recorded.
    std::erase_if(sessions, [](const auto& each) { return each.second->ended.load(); });
    for (auto& [id, entry] : tasks)
        std::erase_if(entry.sessions, [&](const SessionId& s) { return !sessions.contains(s); });
    if (sessions.size() >= kMaxSessions)
        return fail(ErrorCode::kExhausted,
                    fmt::format("{} sessions are alive on this node", kMaxSessions));
    return {};
}

void Directory::Impl::insert(std::shared_ptr<const Task> task, std::size_t bytes) {
    if (task->parent)
        if (const auto up = tasks.find(*task->parent); up != tasks.end())
            up->second.children.insert(task->id);
    specs_bytes += bytes;
    const TaskId id = task->id;
    tasks.emplace(id, Entry{std::move(task), {}, {}, bytes});
}

// Marks the tree below `id` dead, top first: from its first store on, live() is false for all of
// it, because live() looks at every ancestor. Adds to `died` what was not dead before.
void Directory::Impl::kill(const TaskId& id, TaskState how, Expired& died) {
    std::vector<TaskId> pending = {id};
    while (!pending.empty()) {
        const auto it = tasks.find(pending.back());
        pending.pop_back();
        if (it == tasks.end()) continue;
        const Entry& entry = it->second;
        if (entry.task->state.load() == TaskState::kLive) {
            entry.task->state.store(how);
            died.tasks.push_back(entry.task);
        }
        for (const SessionId& each : entry.sessions) {
            const auto session = sessions.find(each);
            if (session != sessions.end() && !session->second->ended.exchange(true))
                died.sessions.push_back(session->second);
        }
        pending.insert(pending.end(), entry.children.begin(), entry.children.end());
    }
}

// How long the task will live, counted on the boot clock.
Result<std::int64_t> Directory::Impl::lifetime_us(const TaskSpec& spec, const Task* parent) const {
    const bool named = spec.deadline_s != 0;
    const std::int64_t wanted = (named ? spec.deadline_s : kDefaultTaskLifetime_s) * kSecond_us;
    if (parent == nullptr) return wanted;
    const std::int64_t left = parent->deadline_boot_us - clock.boot_us();
    if (wanted <= left) return wanted;
    if (!named) return left;
    return fail(ErrorCode::kForbidden,
                fmt::format("wider than its parent at depth {}: `deadline_s` may be at most {}",
                            parent->depth, left / kSecond_us));
}

Directory::Directory(DirectoryOptions options, crypto::Es256Key key, std::vector<Agent> agents,
                     std::vector<Person> people, IdSource& ids, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(key), ids, clock)) {
    impl_->take_registry(std::move(agents), std::move(people));
}

Directory::~Directory() = default;

void Directory::Impl::take_registry(std::vector<Agent> new_agents, std::vector<Person> new_people) {
    agents.clear();
    people.clear();
    for (Agent& agent : new_agents) {
        if (agent.spiffe_id.empty())
            agent.spiffe_id = fmt::format("spiffe://{}/agent/{}", options.trust_domain, agent.name);
        agents.push_back(std::make_shared<const Agent>(std::move(agent)));
    }
    for (Person& person : new_people)
        people.push_back(std::make_shared<const Person>(std::move(person)));
}

void Directory::set_registry(std::vector<Agent> agents, std::vector<Person> people) {
    const std::unique_lock lock(impl_->mutex);
    impl_->take_registry(std::move(agents), std::move(people));
}

std::shared_ptr<const Agent> Directory::agent(std::string_view name) const {
    const std::shared_lock lock(impl_->mutex);
    return impl_->agent(name);
}

std::vector<std::shared_ptr<const Agent>> Directory::agents() const {
    const std::shared_lock lock(impl_->mutex);
    return impl_->agents;
}

std::shared_ptr<const Person> Directory::person(std::uint32_t uid) const {
    const std::shared_lock lock(impl_->mutex);
    for (const auto& each : impl_->people)
        if (each->uid == uid) return each;
    return nullptr;
}

Result<TaskPtr> Directory::start(TaskSpec spec, EventId started_event, TaskPtr parent) {
    Impl& in = *impl_;
    if (!agent(spec.agent)) return no_agent(spec);
    if (parent && spec.subject.empty()) spec.subject = parent->spec.subject;
    const std::int64_t now_us = in.now_us();
    if (auto ok = check_spec(spec, now_us / kSecond_us); !ok) return fail(ok.error());
    if (!parent && spec.subject.starts_with("agent:") && spec.subject != "agent:" + spec.agent)
        return fail(ErrorCode::kInvalid,
                    fmt::format("`subject` of an autonomous task is its own agent, write "
                                "`agent:{}`",
                                spec.agent));

    const std::unique_lock lock(in.mutex);
    auto agent = in.agent(spec.agent);
    if (!agent) return no_agent(spec);  // gone since
    if (parent && (!in.tasks.contains(parent->id) || !parent->live(in.clock.boot_us())))
        return unauthenticated("the parent task is not alive");
    const auto lifetime = in.lifetime_us(spec, parent.get());
    if (!lifetime) return fail(lifetime.error());
    std::int64_t deadline_us = now_us + *lifetime;
    if (parent) {
        deadline_us = std::min(deadline_us, parent->deadline_us);
        if (auto ok = check_narrowing(spec, deadline_us, *parent); !ok) return fail(ok.error());
    }
    const std::size_t bytes = size_of(spec);
    if (auto room = in.make_room(bytes); !room) return fail(room.error());

    auto task = std::make_shared<Task>();
    task->id = in.ids.mint<TaskId>();
    task->root = parent ? parent->root : task->id;
    if (parent) task->parent = parent->id;
    task->depth = parent ? parent->depth + 1 : 0;
    task->spec = std::move(spec);
    task->agent = std::move(agent);
    task->parent_task = std::move(parent);
    task->started_event = started_event;
    task->started_us = now_us;
    task->deadline_us = deadline_us;
    task->deadline_boot_us = in.clock.boot_us() + *lifetime;
    if (task->parent_task)
        task->deadline_boot_us =
            std::min(task->deadline_boot_us, task->parent_task->deadline_boot_us);
    in.insert(task, bytes);
    return task;
}

TaskPtr Directory::task(const TaskId& id) const {
    const std::shared_lock lock(impl_->mutex);
    const auto it = impl_->tasks.find(id);
    return it == impl_->tasks.end() ? nullptr : it->second.task;
}

std::vector<TaskPtr> Directory::tasks() const {
    const std::shared_lock lock(impl_->mutex);
    std::vector<TaskPtr> out;
    out.reserve(impl_->tasks.size());
    for (auto it = impl_->tasks.rbegin(); it != impl_->tasks.rend(); ++it)
        out.push_back(it->second.task);
    return out;
}

Result<std::vector<SessionPtr>> Directory::end(const TaskId& id, TaskState how) {
    if (how == TaskState::kLive) return fail(ErrorCode::kInvalid, "a task cannot end as `live`");
    const std::unique_lock lock(impl_->mutex);
    const auto it = impl_->tasks.find(id);
    if (it == impl_->tasks.end()) return fail(ErrorCode::kNotFound, "no such task");
    if (const TaskState state = it->second.task->state.load(); state != TaskState::kLive)
        return fail(ErrorCode::kConflict, fmt::format("the task is {} already", name(state)));
    Expired died;
    impl_->kill(id, how, died);
    return std::move(died.sessions);
}

Result<SessionPtr> Directory::open(TaskPtr task, Binding binding, std::string bound_to,
                                   EventId started_event) {
    Impl& in = *impl_;
    auto session = std::make_shared<Session>();
    session->id = in.ids.mint<SessionId>();
    session->writ = in.ids.mint<WritId>();
    session->task = std::move(task);
    session->binding = binding;
    session->bound_to = std::move(bound_to);
    session->started_event = started_event;

    const std::unique_lock lock(in.mutex);
    const Task* of = session->task.get();
    const auto entry = of == nullptr ? in.tasks.end() : in.tasks.find(of->id);
    const std::int64_t boot_us = in.clock.boot_us(), now_us = in.now_us();
    if (entry == in.tasks.end() || !of->live(boot_us))
        return unauthenticated("the task is not alive");
    const std::int64_t life_us = std::min(kWritLifetime_us, of->deadline_boot_us - boot_us);
    session->issued_us = now_us;
    session->expires_us.store(std::min(now_us + life_us, of->deadline_us));
    session->expires_boot_us.store(boot_us + life_us);
    if (binding == Binding::kBearer) {
        const std::size_t bytes =
            writ_claims(*session, in.scope(), now_us).size() * 4 / 3 + kWritOverheadBytes;
        if (bytes > kMaxWritBytes)
            return fail(ErrorCode::kTooLarge,
                        fmt::format("the writ of this task would be {} bytes, at most {} fit: "
                                    "grant `server/*`, or bind the session to a unix peer",
                                    bytes, kMaxWritBytes));
    }
    if (auto room = in.purge_sessions(); !room) return fail(room.error());
    in.sessions.emplace(session->id, session);
    entry->second.sessions.push_back(session->id);
    return session;
}

Status Directory::renew(const SessionPtr& session) {
    Impl& in = *impl_;
    // Exclusive, so that sweep() and end() see the session either before or after.
    const std::unique_lock lock(in.mutex);
    const std::int64_t boot_us = in.clock.boot_us();
    if (!session || !session->live(boot_us)) return unauthenticated("the session is not alive");
    const Task& of = *session->task;
    const std::int64_t life_us = std::min(kWritLifetime_us, of.deadline_boot_us - boot_us);
    session->expires_us.store(std::min(in.now_us() + life_us, of.deadline_us));
    session->expires_boot_us.store(boot_us + life_us);
    return {};
}

void Directory::end_session(const SessionPtr& session) {
    if (session) session->ended.store(true);
}

SessionPtr Directory::session(const SessionId& id) const {
    const std::shared_lock lock(impl_->mutex);
    const auto it = impl_->sessions.find(id);
    return it == impl_->sessions.end() ? nullptr : it->second;
}

bool Directory::has_live_session(const TaskId& task) const {
    const std::shared_lock lock(impl_->mutex);
    const auto it = impl_->tasks.find(task);
    if (it == impl_->tasks.end()) return false;
    return std::ranges::any_of(it->second.sessions, [this](const SessionId& id) {
        const auto found = impl_->sessions.find(id);
        return found != impl_->sessions.end() && found->second->live(impl_->clock.boot_us());
    });
}

std::size_t Directory::live_sessions() const {
    const auto live = [at = impl_->clock.boot_us()](const auto& e) { return e.second->live(at); };
    const std::shared_lock lock(impl_->mutex);
    return static_cast<std::size_t>(std::ranges::count_if(impl_->sessions, live));
}

std::string Directory::writ(const Session& session) const {
    return jose::sign_es256(impl_->key, impl_->keys.front().kid, kWritType,
                            writ_claims(session, impl_->scope(), impl_->now_us()));
}

Result<SessionPtr> Directory::authenticate(std::string_view token) const {
    const Impl& in = *impl_;
    if (token.size() > kMaxWritBytes)
        return unauthenticated(fmt::format("the token is longer than {} bytes", kMaxWritBytes));
    const auto verified = jose::verify(token, kWritType, in.keys);
    if (!verified) return unauthenticated(verified.error().detail);
    const auto presented = check_writ_claims(verified->payload, in.scope(), in.now_us());
    if (!presented) return fail(presented.error());
    SessionPtr session = this->session(presented->session);
    if (!session || session->writ != presented->writ || session->task->id != presented->task)
        return unauthenticated("the session is not known here");
    if (session->binding != Binding::kBearer)
        return unauthenticated("the session is bound to a connection, not to a bearer");
    if (const TaskState state = session->task->state.load(); state != TaskState::kLive)
        return unauthenticated(fmt::format("the task is {}", name(state)));
    if (session->ended.load()) return unauthenticated("the session has ended");
    if (!session->live(in.clock.boot_us())) return unauthenticated("the session has expired");
    return session;
}

json::Node Directory::jwks() const {
    json::Node out = json::Node::object();
    for (const jose::Jwk& jwk : impl_->keys) out["keys"].push_back(jwk.to_json());
    return out;
}

Directory::Expired Directory::sweep() {
    Impl& in = *impl_;
    const std::unique_lock lock(in.mutex);
    const std::int64_t boot_us = in.clock.boot_us();
    Expired expired;
    std::vector<TaskId> over;
    for (const auto& [id, entry] : in.tasks)
        if (entry.task->state.load() == TaskState::kLive && boot_us >= entry.task->deadline_boot_us)
            over.push_back(id);
    for (const TaskId& id : over) in.kill(id, TaskState::kExpired, expired);
    for (const auto& [id, session] : in.sessions)
        if (boot_us >= session->expires_boot_us.load() && !session->ended.exchange(true))
            expired.sessions.push_back(session);
    return expired;
}

Result<TaskPtr> Directory::restore(TaskId id, TaskSpec spec, EventId started_event, TaskPtr parent,
                                   std::int64_t started_us, std::int64_t deadline_us,
                                   TaskState state, std::optional<std::int64_t> deadline_boot_us) {
    Impl& in = *impl_;
    auto agent = this->agent(spec.agent);
    if (!agent) return no_agent(spec);
    if (state == TaskState::kLive) {
        // A stored copy is believed no more than a launcher.
        if (auto ok = check_spec(spec, started_us / kSecond_us); !ok) return fail(ok.error());
        if (deadline_us - started_us > kMaxTaskLifetime_s * kSecond_us)
            return fail(ErrorCode::kInvalid, "the stored deadline is later than a task may live");
    }
    const std::unique_lock lock(in.mutex);
    if (in.tasks.contains(id)) return fail(ErrorCode::kConflict, "the task is there already");
    if (parent && state == TaskState::kLive) {
        if (auto ok = check_narrowing(spec, deadline_us, *parent); !ok) return fail(ok.error());
        state = parent->state.load();
    }
    const std::size_t bytes = size_of(spec);
    if (auto room = in.make_room(bytes); !room) return fail(room.error());
    auto task = std::make_shared<Task>();
    task->id = id;
    task->root = parent ? parent->root : id;
    if (parent) task->parent = parent->id;
    task->depth = parent ? parent->depth + 1 : 0;
    task->spec = std::move(spec);
    task->agent = std::move(agent);
    task->parent_task = std::move(parent);
    task->started_event = started_event;
    task->started_us = started_us;
    task->deadline_us = deadline_us;
    // A wall clock that was set back since gives no task more time than it was started with.
    const std::int64_t left_us = std::min(deadline_us - in.now_us(), deadline_us - started_us);
    task->deadline_boot_us = in.clock.boot_us() + left_us;
    if (deadline_boot_us) {
        const std::int64_t latest = in.clock.boot_us() + (deadline_us - started_us);
        task->deadline_boot_us = std::min(*deadline_boot_us, latest);
    }
    if (task->parent_task)
        task->deadline_boot_us =
            std::min(task->deadline_boot_us, task->parent_task->deadline_boot_us);
    task->state.store(state);
    in.insert(task, bytes);
    return task;
}

Result<SessionPtr> Directory::restore_session(TaskPtr task, StoredSession stored) {
    Impl& in = *impl_;
    auto session = std::make_shared<Session>();
    session->id = stored.id;
    session->writ = stored.writ;
    session->task = std::move(task);
    session->binding = stored.binding;
    session->bound_to = std::move(stored.bound_to);
    session->started_event = stored.started_event;
    session->issued_us = stored.issued_us;

    const std::unique_lock lock(in.mutex);
    const Task* of = session->task.get();
    const auto entry = of == nullptr ? in.tasks.end() : in.tasks.find(of->id);
    const std::int64_t boot_us = in.clock.boot_us(), now_us = in.now_us();
    if (entry == in.tasks.end() || !of->live(boot_us))
        return unauthenticated("the task is not alive");
    std::int64_t life_us = kWritLifetime_us;
    if (stored.binding == Binding::kBearer)
        life_us = std::min(stored.expires_us - now_us, kMaxWritLifetime_s * kSecond_us);
    life_us = std::min(life_us, of->deadline_boot_us - boot_us);
    if (life_us <= 0) return unauthenticated("the writ has expired");
    if (in.sessions.contains(stored.id))
        return fail(ErrorCode::kConflict, "the session is there already");
    session->expires_us.store(std::min(now_us + life_us, of->deadline_us));
    session->expires_boot_us.store(boot_us + life_us);
    if (auto room = in.purge_sessions(); !room) return fail(room.error());
    in.sessions.emplace(session->id, session);
    entry->second.sessions.push_back(session->id);
    return session;
}

}  // namespace writ::identity

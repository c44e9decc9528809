#include "desks/admin/desk.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/seldom.h"
#include "desks/admin/bodies.h"
#include "desks/admin/pin_records.h"
#include "desks/admin/views.h"
#include "policy/flip.h"
#include "policy/policy.h"
#include "policy/scenario.h"

namespace writ::admin {
namespace {

using identity::Person;
using identity::Role;
using PersonPtr = std::shared_ptr<const Person>;
using RequestPtr = std::shared_ptr<const net::HttpRequest>;

// A page of tasks ends with the task that reaches this many bytes. One task was one request body,
// so that no page comes near to what clients read (kMaxUpstreamMessageBytes).
constexpr std::size_t kPageBytes = 1 << 20;

// The value of `name` in the query of `target`; empty if there is none. Nothing is unescaped: ids
// need no escapes.
std::string_view in_query(std::string_view target, std::string_view name) {
    const auto mark = target.find('?');
    if (mark == std::string_view::npos) return {};
    for (target.remove_prefix(mark + 1); !target.empty();) {
        const auto end = std::min(target.find('&'), target.size());
        const std::string_view one = target.substr(0, end);
        if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
            return one.substr(name.size() + 1);
        target.remove_prefix(std::min(end + 1, target.size()));
    }
    return {};
}

// `/api/v1/tasks/ID/end` without the prefix, split at slashes. Empty if the prefix differs or a
// segment is empty.
std::vector<std::string> segments(std::string_view target) {
    constexpr std::string_view prefix = "/api/v1/";
    if (!target.starts_with(prefix)) return {};
    target.remove_prefix(prefix.size());
    target = target.substr(0, target.find('?'));
    std::vector<std::string> out;
    while (true) {
        const auto slash = target.find('/');
        if (target.substr(0, slash).empty()) return {};
        out.emplace_back(target.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        target.remove_prefix(slash + 1);
    }
}

// Whether a request only takes authority away. It is heard also of somebody who may be an agent.
bool narrows(const net::HttpRequest& request) {
    const auto path = segments(request.target);
    return request.method == "POST" && path.size() == 3 && path[0] == "tasks" &&
           (path[2] == "end" || path[2] == "revoke");
}

Error not_here() {
    return {ErrorCode::kNotFound, "no such resource; see docs/guide/admin-api.md", {}};
}

Status need(const Person& person, std::initializer_list<Role> any_of) {
    if (std::any_of(any_of.begin(), any_of.end(), [&](Role r) { return person.has(r); })) return {};
    return fail(ErrorCode::kForbidden,
                "`" + person.login +
                    "` has no role that permits this; roles are in writ.toml, "
                    "[[people]]");
}

}  // namespace

struct Desk::Impl {
    Parts parts;

    net::Task<void> handle(net::HttpRequest request, net::Responder* responder);
    net::Task<Result<net::HttpResponse>> route(RequestPtr request, PersonPtr person);
    net::Task<Result<net::HttpResponse>> tasks(RequestPtr request, std::vector<std::string> path,
                                               PersonPtr person);
    Result<net::HttpResponse> list_tasks(const net::HttpRequest& request) const;
    net::Task<Result<net::HttpResponse>> start_task(RequestPtr request, PersonPtr person);
    net::Task<Result<net::HttpResponse>> end_task(identity::TaskPtr task, identity::TaskState how,
                                                  RequestPtr request, PersonPtr person);
    net::Task<Result<net::HttpResponse>> show_task(identity::TaskPtr task);
    net::Task<Result<net::HttpResponse>> mint_writ(identity::TaskPtr task, PersonPtr person);
    net::Task<Result<net::HttpResponse>> catalog(RequestPtr request, std::vector<std::string> path,
                                                 PersonPtr person);
    Result<net::HttpResponse> diff(const std::string& server, const std::string& tool) const;
    net::Task<Result<net::HttpResponse>> pin(std::string server, std::string tool, Sha256 read,
                                             PersonPtr person);
    net::Task<Result<net::HttpResponse>> shred(RequestPtr request, PersonPtr person);
    net::Task<Result<net::HttpResponse>> reload(RequestPtr request, PersonPtr person);
    net::Task<Result<net::HttpResponse>> explain(RequestPtr request);
    net::Task<std::string> refused_now(identity::TaskPtr task);
    Result<net::HttpResponse> status() const;

    net::Task<Result<PersonPtr>> caller(RequestPtr request);
    evidence::Actor actor(const Person& person) const;

    Seldom refusals = {};  // of processes inside tasks, which may ask without end
};

Desk::Desk(Parts parts) : impl_(new Impl{std::move(parts)}) {}
Desk::~Desk() = default;

net::HttpHandler Desk::handler() {
    return [impl = impl_.get()](net::HttpRequest request, net::Responder& responder) {
        return impl->handle(std::move(request), &responder);
    };
}

net::Task<void> Desk::Impl::handle(net::HttpRequest request, net::Responder* responder) {
    auto shared = std::make_shared<const net::HttpRequest>(std::move(request));
    auto finding = caller(shared);
    auto who = co_await std::move(finding);
    if (!who) {
        auto refused = error(who.error());
        (void)co_await responder->send(std::move(refused));
        co_return;
    }
    auto routing = route(std::move(shared), std::move(*who));
    auto answer = co_await std::move(routing);
    auto response = answer ? std::move(*answer) : error(answer.error());
    (void)co_await responder->send(std::move(response));
}

net::Task<Result<PersonPtr>> Desk::Impl::caller(RequestPtr request) {
    const net::Peer& peer = request->peer;
    if (!peer.is_unix || !peer.uid || !peer.pid)
        co_return fail(ErrorCode::kForbidden,
                       "the admin API is served on the operators' socket only");
    auto looking = parts.inside_task(peer);
    const auto inside = co_await std::move(looking);
    if (!inside && !narrows(*request))
        co_return fail(
            ErrorCode::kUnavailable,
            "it cannot be told now whether you are inside a task, so that only `end` and "
            "`revoke` are heard: " +
                inside.error().detail);
    if (!inside) log::warn("admin", "pid {} is heard unseen: {}", *peer.pid, inside.error().detail);
    if (inside && *inside) {
        if (const auto unsaid = refusals.due())
            log::warn("admin",
                      "a process inside a task's tree (pid {}) was refused ({} more since the last "
                      "such line)",
                      *peer.pid, *unsaid);
        co_return fail(ErrorCode::kForbidden, "a process inside a task may not act as a person");
    }
    auto person = parts.directory.person(*peer.uid);
    if (!person)
        co_return fail(ErrorCode::kForbidden,
                       "uid " + std::to_string(*peer.uid) +
                           " is nobody here: add it to writ.toml under [[people]]");
    co_return person;
}

evidence::Actor Desk::Impl::actor(const Person& person) const {
    evidence::Actor out;
    out.op = parts.pseudonym(person);
    return out;
}

net::Task<Result<net::HttpResponse>> Desk::Impl::route(RequestPtr request, PersonPtr person) {
    auto path = segments(request->target);
    if (path.empty()) co_return fail(not_here());
    if (request->method == "GET") {
        if (auto may = need(*person, {Role::kViewer, Role::kAuditor, Role::kOperator}); !may)
            co_return fail(may.error());
    }
    if (path[0] == "tasks") co_return co_await tasks(request, std::move(path), person);
    if (path[0] == "catalog") co_return co_await catalog(request, std::move(path), person);
    if (path.size() == 1 && path[0] == "status" && request->method == "GET") co_return status();
    if (path.size() == 2 && path[0] == "policy" && path[1] == "explain" &&
        request->method == "POST") {
        if (auto may = need(*person, {Role::kAuditor, Role::kAuthor, Role::kOperator}); !may)
            co_return fail(may.error());
        co_return co_await explain(request);
    }
    if (path.size() == 2 && path[0] == "evidence" && path[1] == "shred" &&
        request->method == "POST") {
        co_return co_await shred(request, person);
    }
    if (path.size() == 1 && path[0] == "reload" && request->method == "POST" && parts.reload)
        co_return co_await reload(request, person);
    co_return fail(not_here());
}

// {"check"?: true}
net::Task<Result<net::HttpResponse>> Desk::Impl::reload(RequestPtr request, PersonPtr person) {
    if (auto may = need(*person, {Role::kAuthor, Role::kOperator}); !may)
        co_return fail(may.error());
    const auto check_only = reload_checks_only(request->body);
    if (!check_only) co_return fail(check_only.error());
    auto reloading = parts.reload(*check_only, actor(*person));
    const auto done = co_await std::move(reloading);
    if (!done) co_return fail(done.error());
    co_return ok(*done);
}

// {"subject": a login, `ps:…` or a SPIFFE id, "before"?: month, "reason", "dry_run"?}
net::Task<Result<net::HttpResponse>> Desk::Impl::shred(RequestPtr request, PersonPtr person) {
    if (auto may = need(*person, {Role::kOperator}); !may) co_return fail(may.error());
    auto body = read_shred(request->body);
    if (!body) co_return fail(body.error());
    evidence::ShredRequest wanted;
    wanted.by = actor(*person);
    wanted.subject = std::move(body->subject);
    if (!wanted.subject.starts_with("ps:") && !wanted.subject.starts_with("spiffe://")) {
        Person named;
        named.login = wanted.subject;
        if (!named.login.empty()) wanted.subject = parts.pseudonym(named);
    }
    wanted.before = std::move(body->before);
    wanted.reason = std::move(body->reason);
    wanted.dry_run = body->dry_run;
    const std::string subject = wanted.subject;
    auto done = co_await parts.shred(std::move(wanted));
    if (!done) co_return fail(done.error());
    json::Node out = json::Node::object();
    out["subject"] = subject;
    out["dry_run"] = body->dry_run;
    out["keys"] = done->what.kids.size();
    out["months"] = json::Node::array();
    for (const auto& month : done->what.months) out["months"].push_back(month);
    out["events"] = json::Node::array();
    for (const auto& event : done->events) out["events"].push_back(event.text());
    co_return ok(out);
}

net::Task<Result<net::HttpResponse>> Desk::Impl::tasks(RequestPtr request,
                                                       std::vector<std::string> path,
                                                       PersonPtr person) {
    const bool get = request->method == "GET";
    const bool post = request->method == "POST";
    if (path.size() == 1 && post) co_return co_await start_task(request, person);
    if (path.size() == 1 && get) co_return list_tasks(*request);
    const auto id = path.size() >= 2 ? TaskId::parse(path[1]) : std::nullopt;
    const auto task = id ? parts.directory.task(*id) : nullptr;
    if (!task) co_return fail(ErrorCode::kNotFound, "no such task");
    if (path.size() == 2 && get) co_return co_await show_task(task);
    if (path.size() == 3 && post && path[2] == "end")
        co_return co_await end_task(task, identity::TaskState::kEnded, request, person);
    if (path.size() == 3 && post && path[2] == "revoke")
        co_return co_await end_task(task, identity::TaskState::kRevoked, request, person);
    if (path.size() == 3 && post && path[2] == "writ") co_return co_await mint_writ(task, person);
    co_return fail(not_here());
}

// Newest first. A page that is not the last has `next`: what to ask for as `after`.
Result<net::HttpResponse> Desk::Impl::list_tasks(const net::HttpRequest& request) const {
    const std::string_view from = in_query(request.target, "after");
    const auto after = TaskId::parse(from);
    if (!from.empty() && !after) return fail(ErrorCode::kInvalid, "`after` must be a task id");
    json::Node body = json::Node::object();
    json::Node list = json::Node::array();
    std::size_t bytes = 0;
    std::string last;
    for (const auto& task : parts.directory.tasks()) {
        if (after && !(task->id < *after)) continue;
        if (bytes >= kPageBytes) {
            body["next"] = last;
            break;
        }
        std::string text = task_summary(*task, parts.clock.boot_us()).dump();
        bytes += text.size();
        last = task->id.text();
        list.push_back(json::Node::raw(std::move(text)));
    }
    body["tasks"] = std::move(list);
    return ok(body);
}

net::Task<Result<net::HttpResponse>> Desk::Impl::mint_writ(identity::TaskPtr task,
                                                           PersonPtr person) {
    if (auto may = need(*person, {Role::kOperator, Role::kLauncher}); !may)
        co_return fail(may.error());
    if (!parts.bearer)
        co_return fail(ErrorCode::kForbidden,
                       "bearer writs are off: use `writ run`, or set bearer = true under [listen]");
    std::string bound_to = "bearer";
    const auto session =
        co_await parts.gate.open_session(task, identity::Binding::kBearer, std::move(bound_to));
    if (!session) co_return fail(session.error());
    json::Node body = json::Node::object();
    body["writ"] = parts.directory.writ(**session);
    body["session"] = (*session)->id.text();
    body["expires"] = rfc3339((*session)->expires_us.load());
    co_return ok(body, 201);
}

net::Task<Result<net::HttpResponse>> Desk::Impl::show_task(identity::TaskPtr task) {
    const auto id = task->id;
    const gate::Spent spent = co_await parts.gate.spent(id);
    json::Node body = task_view(*task, parts.clock.boot_us());
    body["spent"]["calls"] = spent.calls;
    body["spent"]["denied"] = spent.denied;
    co_return ok(body);
}

net::Task<Result<net::HttpResponse>> Desk::Impl::start_task(RequestPtr request, PersonPtr person) {
    if (auto may = need(*person, {Role::kOperator, Role::kLauncher}); !may)
        co_return fail(may.error());
    const auto body = json::parse(request->body);
    if (!body) co_return fail(body.error());
    auto spec = identity::TaskSpec::from_json(body->root());
    if (!spec) co_return fail(spec.error());
    auto by = actor(*person);
    auto started = co_await parts.gate.start_task(std::move(*spec), std::move(by), nullptr);
    if (!started) co_return fail(started.error());
    identity::TaskPtr task = *started;
    co_return ok(task_view(*task, parts.clock.boot_us()), 201);
}

// The task is held meanwhile: once dead, the directory may forget it for new ones at any moment.
net::Task<Result<net::HttpResponse>> Desk::Impl::end_task(identity::TaskPtr task,
                                                          identity::TaskState how,
                                                          RequestPtr request, PersonPtr person) {
    if (auto may = need(*person, {Role::kOperator, Role::kLauncher}); !may)
        co_return fail(may.error());
    auto reason =
        read_reason(request->body, how == identity::TaskState::kRevoked ? "revoked" : "completed");
    if (!reason) co_return fail(reason.error());
    auto by = actor(*person);
    const auto done =
        co_await parts.gate.end_task(task->id, how, std::move(by), std::move(*reason));
    if (!done) co_return fail(done.error());
    co_return ok(task_view(*task, parts.clock.boot_us()));
}

net::Task<Result<net::HttpResponse>> Desk::Impl::catalog(RequestPtr request,
                                                         std::vector<std::string> path,
                                                         PersonPtr person) {
    if (path.size() == 1 && request->method == "GET") {
        json::Node list = json::Node::array();
        for (const auto& tool : parts.catalog.snapshot()->tools()) list.push_back(tool_view(*tool));
        json::Node servers = json::Node::array();
        for (const auto& server : parts.catalog.servers()) servers.push_back(server_view(server));
        json::Node health;
        if (parts.server_health) health = co_await parts.server_health();
        json::Node body = json::Node::object();
        body["tools"] = std::move(list);
        body["servers"] = std::move(servers);
        if (parts.server_health) body["health"] = std::move(health);
        co_return ok(body);
    }
    // Every definition, as `writ policy check` and `test` read it back without a gateway.
    if (path.size() == 2 && path[1] == "export" && request->method == "GET") {
        json::Node body = json::Node::object();
        body["schema"] = "writ.catalog/1";
        body["servers"] = json::Node::object();
        for (const auto& tool : parts.catalog.snapshot()->tools())
            body["servers"][tool->server].push_back(json::Node::raw(tool->definition));
        co_return ok(body);
    }
    if (path.size() == 3 && request->method == "GET") {
        const auto tool = parts.catalog.snapshot()->by_qualified(path[1] + "/" + path[2]);
        if (!tool) co_return fail(ErrorCode::kNotFound, "no such tool");
        json::Node body = tool_view(*tool);
        body["definition"] = json::Node::raw(tool->definition);
        co_return ok(body);
    }
    if (path.size() == 4 && path[3] == "diff" && request->method == "GET")
        co_return diff(path[1], path[2]);
    if (path.size() == 4 && path[3] == "pin" && request->method == "POST") {
        const auto pinned = read_pin(request->body);
        if (!pinned) co_return fail(pinned.error());
        const auto read = digest_from_text(*pinned);
        if (!read)
            co_return fail(ErrorCode::kInvalid,
                           "`pin` is needed: the digest of the definition that was read, as "
                           "`writ catalog diff` shows it");
        co_return co_await pin(path[1], path[2], *read, person);
    }
    co_return fail(not_here());
}

// What was accepted of a tool beside what its server lists now.
Result<net::HttpResponse> Desk::Impl::diff(const std::string& server,
                                           const std::string& tool) const {
    const auto now = parts.catalog.snapshot()->by_qualified(server + "/" + tool);
    if (!now) return fail(ErrorCode::kNotFound, "no such tool");
    const auto pinned = parts.catalog.pinned(server, tool);
    if (!pinned) return fail(pinned.error());
    if (pinned->definition.empty())
        return fail(ErrorCode::kNotFound,
                    "only the digest of the accepted definition was kept by an older version; read "
                    "the present one with `writ catalog show`");
    const auto changed = catalog::difference(pinned->definition, now->definition, now->rule.effect);
    if (!changed) return fail(changed.error());
    return ok(difference_view(*now, *pinned, *changed));
}

net::Task<Result<net::HttpResponse>> Desk::Impl::pin(std::string server, std::string tool,
                                                     Sha256 read, PersonPtr person) {
    if (auto may = need(*person, {Role::kAuthor, Role::kOperator}); !may)
        co_return fail(may.error());
    const auto now = parts.catalog.snapshot()->by_qualified(server + "/" + tool);
    if (!now) co_return fail(ErrorCode::kNotFound, "no such tool");
    if (now->pin != read)
        co_return fail(ErrorCode::kConflict,
                       "the definition is another one by now: read it again with `writ catalog "
                       "diff`");
    evidence::Draft draft;
    draft.type = "tool.pinned";
    draft.actor = actor(*person);
    draft.data["server"] = server;
    draft.data["tool"] = tool;
    draft.data["pin"] = digest_text(now->pin);
    const auto recorded = co_await parts.recorder.record(std::move(draft));
    if (!recorded) co_return fail(recorded.error());
    const auto pinned = parts.catalog.pin(server, tool, read);
    if (!pinned) co_return fail(pinned.error());
    std::vector<store::Change> changes = pin_changes(parts.tenant, {*pinned});
    store::Store* store = &parts.store;
    const std::string tenant = parts.tenant;
    auto write = [store, tenant, changes = std::move(changes)] {
        return store->apply(tenant, changes);
    };
    const Status stored = co_await parts.reactor.offload(std::move(write));
    if (!stored) co_return fail(stored.error());
    parts.catalog_changed();
    const auto after = parts.catalog.snapshot()->by_qualified(server + "/" + tool);
    co_return ok(tool_view(after ? *after : *now));
}

// Why every call of the task is refused now, whatever grants and policies say; empty if none is.
net::Task<std::string> Desk::Impl::refused_now(identity::TaskPtr task) {
    if (!task->live(parts.clock.boot_us())) {
        const auto state = task->state.load();
        co_return state == identity::TaskState::kLive
            ? std::string("the task or one above it is over")
            : "the task is " + std::string(identity::name(state));
    }
    for (identity::TaskPtr link = task; link; link = link->parent_task) {
        const std::int64_t calls = link->spec.budget.calls;
        const gate::Spent spent = co_await parts.gate.spent(link->id);
        if (calls > 0 && spent.calls >= calls)
            co_return "the budget of " + std::to_string(calls) + " calls is used up";
    }
    co_return "";
}

net::Task<Result<net::HttpResponse>> Desk::Impl::explain(RequestPtr request) {
    auto body = read_explain(request->body);
    if (!body) co_return fail(body.error());
    const auto id = TaskId::parse(body->task);
    const auto task = id ? parts.directory.task(*id) : nullptr;
    if (!task) co_return fail(ErrorCode::kNotFound, "no such task");
    const auto snapshot = parts.catalog.snapshot();
    auto tool = snapshot->by_qualified(body->tool);
    if (!tool) tool = snapshot->by_exposed(body->tool);
    if (!tool) co_return fail(ErrorCode::kNotFound, "no such tool; see `writ catalog list`");
    const auto posed = policy::Posed::of(task, tool, snapshot, std::move(body->arguments),
                                         parts.clock.now_us(), false);
    if (!posed) co_return fail(posed.error());
    const auto engine = parts.gate.engine();
    json::Node out = posed->explain(*engine);
    out["changes"] = policy::single_changes(*posed, *engine);
    std::string refused = co_await refused_now(task);
    if (!refused.empty()) out["refused"] = std::move(refused);
    co_return ok(out);
}

Result<net::HttpResponse> Desk::Impl::status() const {
    json::Node body = parts.about();
    const auto health = parts.ledger.health();
    body["ledger"]["writable"] = health.writable;
    body["ledger"]["reason"] = health.reason;
    body["ledger"]["durable"] = health.durable;
    body["ledger"]["published"] = health.published;
    body["policies"] = parts.gate.engine()->policies();
    body["policy_set"] = digest_text(parts.gate.engine()->digest());
    std::int64_t live = 0;
    for (const auto& task : parts.directory.tasks())
        if (task->live(parts.clock.boot_us())) ++live;
    body["tasks_live"] = live;
    return ok(body);
}

}  // namespace writ::admin

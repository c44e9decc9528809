#include "desks/launch/desk.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "gate/survival.h"
#include "json/node.h"
#include "json/value.h"
#include "net/descriptors.h"

namespace writ::launch {
namespace {

// A request is a few short members; more is not one.
constexpr std::size_t kMaxRequestBytes = 1024;
constexpr net::Millis kExchangeTimeout{5'000};
constexpr net::Millis kHeartbeat{3'600'000};  // of waits that only an event ends
constexpr net::Millis kPause{100};            // before a wait that could not begin
// How often processes that nobody came back for are looked after.
constexpr net::Millis kLookAfter{30'000};
constexpr net::Millis kTellEvery{1'000};  // looks whether refusals are due

std::string error_line(const Error& error) {
    json::Node out = json::Node::object();
    out["error"]["code"] = name(error.code);
    out["error"]["message"] = error.message();
    return out.dump() + "\n";
}

// What a unix session is bound to, as its evidence says: the process, and a commitment to what the
// launcher must show when it resumes.
std::string binding(const Process& child, std::string_view path, std::string_view secret) {
    const Sha256 commitment = crypto::sha256(fmt::format("writ-resume/1\n{}\n{}\n", path, secret));
    return fmt::format("pid:{}@{};resume:{}", child.pid, child.start, to_hex(ByteView(commitment)));
}

// Whether nobody is at the other end any more. Who hands over waits for some seconds only: what it
// gave up, during a long start say, must not be taken beside what it hands over next.
bool has_left(const net::Stream& link) {
    pollfd end{link.fd(), POLLRDHUP, 0};
    return poll(&end, 1, 0) > 0;
}

}  // namespace

using StreamPtr = std::shared_ptr<net::Stream>;

// A launched child: its session, the server on its listener, the connection of its launcher.
struct Launched {
    identity::SessionPtr session;
    net::Fd pidfd;
    std::unique_ptr<net::HttpServer> server;
    StreamPtr link;       // null once the launcher has left
    bool exited = false;  // the child
};

// What a launcher asks for.
struct Wanted {
    pid_t pid = 0;
    identity::TaskPtr task;        // launch
    identity::SessionPtr session;  // resume
    std::string path, secret;      // likewise
};

struct Desk::Impl : std::enable_shared_from_this<Desk::Impl> {
    explicit Impl(Parts p)
        : parts(std::move(p)), refusals(parts.clock, parts.refused), inside(parts.reactor) {
        for (const auto& [session, kin] : parts.remembered) inside.add(session, kin);
    }

    Parts parts;
    Refusals refusals;
    bool telling = false;
    std::unique_ptr<net::Acceptor> acceptor;
    Inside inside;
    std::map<SessionId, std::shared_ptr<Launched>> launched;
    // Whose child has exited and whose launcher ends what that left behind.
    std::map<SessionId, std::shared_ptr<Launched>> leaving;
    std::size_t exchanges = 0;
    bool closing = false;

    static net::Task<void> serve(std::shared_ptr<Impl> self, StreamPtr stream);
    static net::Task<void> watch(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child);
    static net::Task<void> tell_refusals(std::shared_ptr<Impl> self);
    static net::Task<void> watch_link(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child,
                                      StreamPtr link);
    static net::Task<void> keep_alive(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child);
    static net::Task<void> look_after(std::shared_ptr<Impl> self);
    net::Task<Result<std::string>> answer(StreamPtr link, net::Received received);
    net::Task<Result<std::string>> launch(StreamPtr link, Wanted wanted, Child child,
                                          net::Listener listener);
    net::Task<Result<std::string>> resume(StreamPtr link, Wanted wanted, Child child,
                                          net::Listener listener);
    void serve_child(StreamPtr link, identity::SessionPtr session, const Wanted& wanted,
                     Child child, net::Listener listener);
    void linked(const std::shared_ptr<Launched>& child, StreamPtr link);
    void depart(SessionId session);
    net::Task<Status> remember(SessionId session, Kin kin);
    net::Task<Status> check_person(net::Peer peer);
    Result<Wanted> wanted(std::string_view line) const;
    net::Task<void> end_session(identity::SessionPtr session, std::string reason);
};

Desk::Desk(Parts parts, net::Listener listener) : impl_(std::make_shared<Impl>(std::move(parts))) {
    std::weak_ptr<Impl> weak = impl_;
    auto on_stream = [weak](std::unique_ptr<net::Stream> stream) {
        const auto self = weak.lock();
        // Closes it.
        if (!self || self->exchanges >= kMaxExchanges || net::is_kept_descriptor(stream->fd()))
            return;
        self->parts.reactor.spawn(Impl::serve(self, std::move(stream)));
    };
    impl_->acceptor = std::make_unique<net::Acceptor>(impl_->parts.reactor, std::move(listener),
                                                      std::move(on_stream));
    impl_->parts.reactor.spawn(Impl::look_after(impl_));
}

Desk::~Desk() {
    impl_->closing = true;  // too late to tell anybody anything
    stop();
    for (auto* children : {&impl_->launched, &impl_->leaving}) {
        for (const auto& [id, child] : *children)
            if (child->link) child->link->close();
        children->clear();
    }
}

void Desk::stop() {
    if (!std::exchange(impl_->closing, true)) impl_->refusals.tell_all();
    impl_->acceptor.reset();
    for (const auto& [id, child] : impl_->launched) child->server->close();
}

std::size_t Desk::running() const {
    return impl_->launched.size();
}

bool Desk::serves(const SessionId& session) const {
    return impl_->launched.contains(session);
}

std::size_t Desk::connections() const {
    std::size_t out = 0;
    for (const auto& [id, child] : impl_->launched) out += child->server->connections();
    return out;
}

net::Task<Result<bool>> Desk::inside_task(net::Peer peer) const {
    const std::shared_ptr<Impl> impl = impl_;
    auto looking = impl->inside.holds(std::move(peer));
    co_return co_await std::move(looking);
}

net::Task<void> Desk::Impl::serve(std::shared_ptr<Impl> self, StreamPtr stream) {
    ++self->exchanges;
    auto received = co_await net::receive_with_fds(self->parts.reactor, stream->fd(),
                                                   kMaxRequestBytes, kExchangeTimeout);
    if (received) {
        auto answering = self->answer(stream, std::move(*received));
        auto answer = co_await std::move(answering);
        if (!answer) {
            self->refusals.add(stream->peer(), answer.error());
            if (!std::exchange(self->telling, true)) self->parts.reactor.spawn(tell_refusals(self));
        }
        auto line = answer ? std::move(*answer) : error_line(answer.error());
        (void)co_await stream->write_all(std::move(line), kExchangeTimeout);
    }
    --self->exchanges;
}

net::Task<void> Desk::Impl::tell_refusals(std::shared_ptr<Impl> self) {
    while (!self->closing && self->refusals.waiting()) {
        co_await self->parts.reactor.sleep(kTellEvery);
        if (!self->closing) self->refusals.tell_due();
    }
    self->telling = false;
}

net::Task<Status> Desk::Impl::check_person(net::Peer peer) {
    // An agent of the same uid could otherwise launch itself into any task whose id it learns.
    auto looking = inside.holds(peer);
    const auto is_inside = co_await std::move(looking);
    if (!is_inside) co_return fail(is_inside.error());
    if (*is_inside)
        co_return fail(ErrorCode::kForbidden, "a process inside a task may not launch agents");
    const auto person = peer.uid ? parts.directory.person(*peer.uid) : nullptr;
    if (person &&
        (person->has(identity::Role::kLauncher) || person->has(identity::Role::kOperator)))
        co_return Status();
    co_return fail(ErrorCode::kForbidden,
                   "only a person with role launcher or operator may launch an "
                   "agent; roles are in writ.toml, [[people]]");
}

Result<Wanted> Desk::Impl::wanted(std::string_view line) const {
    const auto body = json::parse(line, {.bytes_max = kMaxRequestBytes});
    if (!body) return fail(body.error());
    const json::Value root = body->root();
    Wanted out;
    const auto pid = root.i64("pid");
    if (!pid || *pid < 2 || *pid > INT32_MAX)
        return fail(ErrorCode::kInvalid, "`pid` must be the child's process id");
    out.pid = static_cast<pid_t>(*pid);
    const auto op = root.string("op");
    if (op == "launch") {
        const auto id = TaskId::parse(root.string("task").value_or(""));
        out.task = id ? parts.directory.task(*id) : nullptr;
        if (!out.task) return fail(ErrorCode::kNotFound, "no such task");
        return out;
    }
    if (op != "resume") return fail(ErrorCode::kInvalid, "`op` must be \"launch\" or \"resume\"");
    const auto id = SessionId::parse(root.string("session").value_or(""));
    out.session = id ? parts.directory.session(*id) : nullptr;
    if (!out.session || out.session->binding != identity::Binding::kUnixPeer)
        return fail(ErrorCode::kNotFound, "no such session");
    out.path = root.string("path").value_or("");
    out.secret = root.string("resume").value_or("");
    return out;
}

net::Task<Result<std::string>> Desk::Impl::answer(StreamPtr link, net::Received received) {
    const net::Peer& peer = link->peer();
    auto checking = check_person(peer);
    if (auto may = co_await std::move(checking); !may) co_return fail(may.error());
    if (received.fds.size() != 1)
        co_return fail(ErrorCode::kInvalid, "one descriptor is needed: the listener");
    auto asked = wanted(received.bytes);
    if (!asked) co_return fail(asked.error());
    auto pin = [pid = asked->pid, parent = peer.pid.value_or(0)] { return pin_child(pid, parent); };
    auto pinning = parts.reactor.offload(std::move(pin));
    auto child = co_await std::move(pinning);
    if (!child) co_return fail(child.error());
    auto listener = net::Listener::adopt(std::move(received.fds[0]));
    if (!listener) co_return fail(listener.error());
    if (closing) co_return fail(ErrorCode::kUnavailable, "the gateway is stopping");
    if (has_left(*link)) co_return fail(ErrorCode::kUnavailable, "the launcher has left");
    auto doing =
        asked->task
            ? launch(std::move(link), std::move(*asked), std::move(*child), std::move(*listener))
            : resume(std::move(link), std::move(*asked), std::move(*child), std::move(*listener));
    co_return co_await std::move(doing);
}

// Inside from now on; on disk before the child may go.
net::Task<Status> Desk::Impl::remember(SessionId session, Kin kin) {
    const Kin* known = inside.find(session);
    if (known != nullptr && *known == kin) co_return Status();
    inside.add(session, kin);
    auto keeping = parts.keep(session, kin);
    co_return co_await std::move(keeping);
}

net::Task<Result<std::string>> Desk::Impl::launch(StreamPtr link, Wanted wanted, Child child,
                                                  net::Listener listener) {
    wanted.path = "/" + to_hex(random_bytes(16)) + "/mcp";
    wanted.secret = to_hex(random_bytes(32));
    std::string bound_to = binding(child.self, wanted.path, wanted.secret);
    auto opening =
        parts.gate.open_session(wanted.task, identity::Binding::kUnixPeer, std::move(bound_to));
    auto opened = co_await std::move(opening);
    if (!opened) co_return fail(opened.error());
    const SessionId id = (*opened)->id;
    auto remembering = remember(id, Kin{child.self, child.parent});
    if (const Status kept = co_await std::move(remembering); !kept) {
        inside.remove(id);
        auto ending = end_session(*opened, "crashed");
        co_await std::move(ending);
        co_return fail(kept.error().in("the processes of the session are not stored"));
    }
    serve_child(std::move(link), *opened, wanted, std::move(child), std::move(listener));
    log::info("launch", "session {} of task {} runs as pid {}", id.text(), wanted.task->id.text(),
              wanted.pid);
    json::Node line = json::Node::object();
    line["path"] = wanted.path;
    line["session"] = id.text();
    line["resume"] = wanted.secret;
    co_return line.dump() + "\n";
}

net::Task<Result<std::string>> Desk::Impl::resume(StreamPtr link, Wanted wanted, Child child,
                                                  net::Listener listener) {
    const std::string shown = binding(child.self, wanted.path, wanted.secret);
    if (!constant_time_equal(as_bytes(shown), as_bytes(wanted.session->bound_to)))
        co_return fail(ErrorCode::kForbidden,
                       "this is not the process and the launcher that the session is bound to");
    const SessionId id = wanted.session->id;
    auto remembering = remember(id, Kin{child.self, child.parent});
    if (const Status kept = co_await std::move(remembering); !kept)
        co_return fail(ErrorCode::kUnavailable, kept.error().detail);
    if (!launched.contains(id)) {
        auto resuming = parts.gate.survival()->resume_session(wanted.session);
        if (auto resumed = co_await std::move(resuming); !resumed) co_return fail(resumed.error());
    }
    // Meanwhile the launcher may have given up, and what it handed over next may be served.
    if (closing) co_return fail(ErrorCode::kUnavailable, "the gateway is stopping");
    if (has_left(*link)) co_return fail(ErrorCode::kUnavailable, "the launcher has left");
    if (const auto running = launched.find(id); running != launched.end()) {
        linked(running->second, std::move(link));  // only its connection broke
    } else {
        serve_child(std::move(link), wanted.session, wanted, std::move(child), std::move(listener));
        log::info("launch", "session {} goes on with pid {}", id.text(), wanted.pid);
    }
    json::Node line = json::Node::object();
    line["path"] = wanted.path;
    line["session"] = id.text();
    co_return line.dump() + "\n";
}

void Desk::Impl::serve_child(StreamPtr link, identity::SessionPtr session, const Wanted& wanted,
                             Child pinned, net::Listener listener) {
    const std::uint16_t port = listener.endpoint().port;
    auto child = std::make_shared<Launched>();
    child->session = session;
    child->pidfd = std::move(pinned.pidfd);
    child->server = std::make_unique<net::HttpServer>(parts.reactor, std::move(listener),
                                                      parts.door(session, wanted.path, port));
    // `--sandbox` is what keeps out strangers of the same uid; other uids are closed here.
    const auto uid = link->peer().uid;
    child->server->on_accept([uid](const net::Peer& caller) { return caller.uid == uid; });
    launched[session->id] = child;
    linked(child, std::move(link));
    parts.reactor.spawn(watch(shared_from_this(), child));
    parts.reactor.spawn(keep_alive(shared_from_this(), child));
}

// The launcher of `child` is at the other end of `link`, and no more of an earlier one.
void Desk::Impl::linked(const std::shared_ptr<Launched>& child, StreamPtr link) {
    if (child->link) child->link->close();
    child->link = link;
    // Named here: by the time it runs another may be the link.
    parts.reactor.spawn(watch_link(shared_from_this(), child, std::move(link)));
}

// Nobody of this session is left.
void Desk::Impl::depart(SessionId session) {
    leaving.erase(session);
    inside.remove(session);
    parts.reactor.spawn(parts.forget(session));
}

// Processes of before a restart whose launchers do not come back stay inside until they are gone:
// that their session is given up makes no person of them.
net::Task<void> Desk::Impl::look_after(std::shared_ptr<Impl> self) {
    while (true) {
        std::vector<SessionId> left;
        for (const auto& [session, kin] : self->parts.remembered)
            if (self->inside.find(session) != nullptr && !self->launched.contains(session) &&
                !self->leaving.contains(session))
                left.push_back(session);
        if (left.empty()) co_return;
        auto looking = self->inside.gone(std::move(left));
        const auto gone = co_await std::move(looking);
        if (self->closing) co_return;
        for (const SessionId& session : gone)
            if (!self->launched.contains(session)) self->depart(session);
        co_await self->parts.reactor.sleep(kLookAfter);
        if (self->closing) co_return;
    }
}

net::Task<void> Desk::Impl::end_session(identity::SessionPtr session, std::string reason) {
    auto ending = parts.gate.end_session(session, std::move(reason));
    const Status ended = co_await std::move(ending);
    if (!ended && ended.error().code != ErrorCode::kConflict)
        log::error("launch", "the end of session {} was not recorded: {}", session->id.text(),
                   ended.error().message());
}

// Process exit → its writ is dead.
net::Task<void> Desk::Impl::watch(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child) {
    while (!self->closing) {
        const Status ready =
            co_await net::wait_readable(self->parts.reactor, child->pidfd.get(), kHeartbeat);
        if (ready) break;
        if (ready.error().code != ErrorCode::kTimeout) co_await self->parts.reactor.sleep(kPause);
    }
    if (self->closing) co_return;
    const SessionId id = child->session->id;
    child->exited = true;
    self->parts.directory.end_session(child->session);
    self->launched.erase(id);
    child->server->close();
    // What the child leaves behind is its launcher's, and inside, until that leaves as well.
    if (child->link)
        self->leaving[id] = child;
    else
        self->depart(id);
    auto ending = self->end_session(child->session, "completed");
    co_await std::move(ending);
}

// A launcher that leaves before its child cannot end the task any more, nor adopt what the child
// leaves behind: the session ends here. The listener answers 401 until the child exits.
net::Task<void> Desk::Impl::watch_link(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child,
                                       StreamPtr link) {
    while (true) {
        const auto read = co_await link->read_some(1, kHeartbeat);
        if (read && !read->empty()) continue;  // nothing is asked any more
        if (read || read.error().code != ErrorCode::kTimeout) break;
    }
    if (self->closing || child->link != link) co_return;
    child->link.reset();
    if (child->exited) {
        self->depart(child->session->id);
        co_return;
    }
    pollfd exited{child->pidfd.get(), POLLIN, 0};
    if (poll(&exited, 1, 0) > 0) co_return;  // the child went first: watch() ends it
    const auto served = self->launched.find(child->session->id);
    if (served == self->launched.end() || served->second != child) co_return;
    log::warn("launch", "the launcher of session {} left before its agent",
              child->session->id.text());
    self->parts.directory.end_session(child->session);
    auto ending = self->end_session(child->session, "crashed");
    co_await std::move(ending);
}

// Renews the writ at half its life, as long as the child lives; never past its task.
net::Task<void> Desk::Impl::keep_alive(std::shared_ptr<Impl> self,
                                       std::shared_ptr<Launched> child) {
    while (!self->closing && self->launched.contains(child->session->id)) {
        co_await self->parts.reactor.sleep(net::Millis(kWritLifetime_s * 1'000 / 2));
        if (self->closing || !self->parts.directory.renew(child->session)) co_return;
    }
}

}  // namespace writ::launch

#include "desks/launch/desk.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/secret.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::launch {
namespace {

// A request is two short members; more is not one.
constexpr std::size_t kMaxRequestBytes = 1024;
constexpr net::Millis kExchangeTimeout{5'000};
// How far up a process tree inside_task() walks; Linux allows no deeper nesting of pid namespaces
// times sane trees.
constexpr int kMaxAncestors = 128;

std::string error_line(const Error& error) {
    json::Node out = json::Node::object();
    out["error"]["code"] = name(error.code);
    out["error"]["message"] = error.message();
    return out.dump() + "\n";
}

}  // namespace

// A launched child: its session and the server on its listener.
struct Launched {
    identity::SessionPtr session;
    pid_t pid = 0;
    net::Fd pidfd;
    std::unique_ptr<net::HttpServer> server;
};

// What a launcher asks for.
struct Wanted {
    identity::TaskPtr task;
    pid_t pid = 0;
};

struct Desk::Impl : std::enable_shared_from_this<Desk::Impl> {
    explicit Impl(Parts p) : parts(std::move(p)) {}

    Parts parts;
    std::unique_ptr<net::Acceptor> acceptor;
    std::map<std::string, std::shared_ptr<Launched>> launched;  // by session id
    bool closing = false;

    static net::Task<void> serve(std::shared_ptr<Impl> self, std::unique_ptr<net::Stream> stream);
    static net::Task<void> watch(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child);
    static net::Task<void> keep_alive(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child);
    net::Task<Result<std::string>> launch(net::Peer peer, net::Received received);
    bool inside_task(pid_t pid) const;
    Status check_person(const net::Peer& peer) const;
    Result<Wanted> wanted(std::string_view line) const;
};

Desk::Desk(Parts parts, net::Listener listener) : impl_(std::make_shared<Impl>(std::move(parts))) {
    std::weak_ptr<Impl> weak = impl_;
    auto on_stream = [weak](std::unique_ptr<net::Stream> stream) {
        const auto self = weak.lock();
        if (self) self->parts.reactor.spawn(Impl::serve(self, std::move(stream)));
    };
    impl_->acceptor = std::make_unique<net::Acceptor>(impl_->parts.reactor, std::move(listener),
                                                      std::move(on_stream));
}

Desk::~Desk() {
    impl_->closing = true;
    impl_->acceptor.reset();
    impl_->launched.clear();
}

std::size_t Desk::running() const {
    return impl_->launched.size();
}

bool Desk::inside_task(pid_t pid) const {
    return impl_->inside_task(pid);
}

bool Desk::Impl::inside_task(pid_t pid) const {
    for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
        for (const auto& [id, child] : launched)
            if (child->pid == pid) return true;
        const auto parent = parent_of(pid);
        if (!parent) return true;  // vanished while we looked: not a person we can vouch for
        pid = *parent;
    }
    return false;
}

net::Task<void> Desk::Impl::serve(std::shared_ptr<Impl> self, std::unique_ptr<net::Stream> stream) {
    auto received = co_await net::receive_with_fds(self->parts.reactor, stream->fd(),
                                                   kMaxRequestBytes, kExchangeTimeout);
    if (!received) co_return;  // the peer left without asking
    const net::Peer peer = stream->peer();
    auto answer = co_await self->launch(peer, std::move(*received));
    if (!answer) {
        log::warn("launch", "{} was refused: {}", peer.address, answer.error().message());
        self->parts.refused(peer, answer.error());
    }
    auto line = answer ? std::move(*answer) : error_line(answer.error());
    (void)co_await stream->write_all(std::move(line), kExchangeTimeout);
}

Status Desk::Impl::check_person(const net::Peer& peer) const {
    // An agent of the same uid could otherwise launch itself into any task whose id it learns.
    if (!peer.pid || inside_task(*peer.pid))
        return fail(ErrorCode::kForbidden, "a process inside a task may not launch agents");
    const auto person = peer.uid ? parts.directory.person(*peer.uid) : nullptr;
    if (person &&
        (person->has(identity::Role::kLauncher) || person->has(identity::Role::kOperator)))
        return {};
    return fail(ErrorCode::kForbidden,
                "only a person with role launcher or operator may launch an "
                "agent; roles are in writ.toml, [[people]]");
}

Result<Wanted> Desk::Impl::wanted(std::string_view line) const {
    const auto body = json::parse(line, {.bytes_max = kMaxRequestBytes});
    if (!body) return fail(body.error());
    if (body->root().string("op") != "launch")
        return fail(ErrorCode::kInvalid, "`op` must be \"launch\"");
    const auto text = body->root().string("task");
    const auto id = text ? TaskId::parse(*text) : std::nullopt;
    auto task = id ? parts.directory.task(*id) : nullptr;
    if (!task) return fail(ErrorCode::kNotFound, "no such task");
    const auto pid = body->root().i64("pid");
    if (!pid || *pid < 2 || *pid > INT32_MAX)
        return fail(ErrorCode::kInvalid, "`pid` must be the child's process id");
    return Wanted{std::move(task), static_cast<pid_t>(*pid)};
}

net::Task<Result<std::string>> Desk::Impl::launch(net::Peer peer, net::Received received) {
    if (auto may = check_person(peer); !may) co_return fail(may.error());
    if (received.fds.size() != 1)
        co_return fail(ErrorCode::kInvalid, "one descriptor is needed: the listener");
    const auto asked = wanted(received.bytes);
    if (!asked) co_return fail(asked.error());
    auto pidfd = pin_child(asked->pid, peer.pid.value_or(0));
    if (!pidfd) co_return fail(pidfd.error());
    auto listener = net::Listener::adopt(std::move(received.fds[0]));
    if (!listener) co_return fail(listener.error());
    const std::uint16_t port = listener->endpoint().port;

    std::string bound_to = fmt::format("pid:{}", asked->pid);
    auto opened = co_await parts.gate.open_session(asked->task, identity::Binding::kUnixPeer,
                                                   std::move(bound_to));
    if (!opened) co_return fail(opened.error());
    const identity::SessionPtr session = *opened;
    const std::string path = "/" + to_hex(random_bytes(16)) + "/mcp";
    auto child = std::make_shared<Launched>();
    child->session = session;
    child->pid = asked->pid;
    child->pidfd = std::move(*pidfd);
    child->server = std::make_unique<net::HttpServer>(parts.reactor, std::move(*listener),
                                                      parts.door(session, path, port));
    // `--sandbox` is what keeps out strangers of the same uid; other uids are closed here.
    const auto uid = peer.uid;
    child->server->on_accept([uid](const net::Peer& caller) { return caller.uid == uid; });
    launched.emplace(session->id.text(), child);
    parts.reactor.spawn(watch(shared_from_this(), child));
    parts.reactor.spawn(keep_alive(shared_from_this(), child));
    log::info("launch", "session {} of task {} runs as pid {}", session->id.text(),
              session->task->id.text(), asked->pid);
    json::Node answer = json::Node::object();
    answer["path"] = path;
    answer["session"] = session->id.text();
    co_return answer.dump() + "\n";
}

// Process exit → its writ is dead.
net::Task<void> Desk::Impl::watch(std::shared_ptr<Impl> self, std::shared_ptr<Launched> child) {
    while (!self->closing) {
        const Status ready = co_await net::wait_readable(self->parts.reactor, child->pidfd.get(),
                                                         net::Millis(60'000));
        if (ready) break;
    }
    if (self->closing) co_return;
    self->parts.directory.end_session(child->session);
    self->launched.erase(child->session->id.text());
    child->server->close();
    const auto ended = co_await self->parts.gate.end_session(child->session, "completed");
    if (!ended && ended.error().code != ErrorCode::kConflict)
        log::error("launch", "the end of session {} was not recorded: {}",
                   child->session->id.text(), ended.error().message());
}

// Renews the writ at half its life, as long as the child lives; never past its task.
net::Task<void> Desk::Impl::keep_alive(std::shared_ptr<Impl> self,
                                       std::shared_ptr<Launched> child) {
    while (!self->closing && self->launched.contains(child->session->id.text())) {
        co_await self->parts.reactor.sleep(net::Millis(kWritLifetime_s * 1'000 / 2));
        if (self->closing || !self->parts.directory.renew(child->session)) co_return;
    }
}

}  // namespace writ::launch

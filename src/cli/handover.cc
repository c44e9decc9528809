#include "cli/handover.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "cli/socket_trust.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::cli {
namespace {

constexpr std::size_t kMaxAnswerBytes = 4096;
constexpr timeval kAnswerTimeout{10, 0};

Result<std::string> read_line(int socket) {
    std::string line;
    std::array<char, 1024> buffer{};
    while (line.find('\n') == std::string::npos) {
        const ssize_t n = read(socket, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0 || line.size() > kMaxAnswerBytes)
            return fail(ErrorCode::kUnavailable, "the gateway closed the agents' socket");
        line.append(buffer.data(), static_cast<std::size_t>(n));
    }
    line.resize(line.find('\n'));
    return line;
}

Result<net::Fd> dial(const std::filesystem::path& agents_socket) {
    net::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return fail(io_error("socket", errno));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = agents_socket.string();
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorCode::kInvalid, fmt::format("the socket path `{}` is too long", path));
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(ErrorCode::kUnavailable,
                    fmt::format("no gateway answers on `{}`: {}", path, std::strerror(errno)));
    ucred who{};
    socklen_t size = sizeof who;
    const bool known = getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
    const auto peer = known ? std::optional(who.uid) : std::nullopt;
    if (const Status trusted = check_gateway(agents_socket, peer, getuid()); !trusted)
        return fail(trusted.error());
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
    return socket;
}

Result<Served> exchange(const std::filesystem::path& agents_socket, json::Node request,
                        int listener) {
    auto socket = dial(agents_socket);
    if (!socket) return fail(socket.error());
    const int fds[1] = {listener};
    if (auto sent = net::send_with_fds(socket->get(), request.dump() + "\n", fds); !sent)
        return fail(ErrorCode::kUnavailable, sent.error().detail);
    const auto line = read_line(socket->get());
    if (!line) return fail(line.error());
    const auto answer = json::parse(*line);
    if (!answer) return fail(answer.error());
    const json::Value root = answer->root();
    const auto path = root.string("path");
    const auto session = root.string("session");
    if (path && session) {
        Served out;
        out.link = std::move(*socket);
        out.path = *path;
        out.session = *session;
        out.resume = root.string("resume").value_or("");
        return out;
    }
    const auto error = root.find("error");
    const bool later = error && error->string("code") == name(ErrorCode::kUnavailable);
    return fail(later ? ErrorCode::kUnavailable : ErrorCode::kForbidden,
                std::string(error ? error->string("message").value_or("refused") : "refused"));
}

}  // namespace

Result<Served> hand_over(const std::filesystem::path& agents_socket, const std::string& task,
                         int listener, pid_t child) {
    json::Node request = json::Node::object();
    request["op"] = "launch";
    request["pid"] = child;
    request["task"] = task;
    return exchange(agents_socket, std::move(request), listener);
}

Result<Served> hand_over_again(const std::filesystem::path& agents_socket, const Served& served,
                               int listener, pid_t child) {
    json::Node request = json::Node::object();
    request["op"] = "resume";
    request["pid"] = child;
    request["session"] = served.session;
    request["path"] = served.path;
    request["resume"] = served.resume;
    auto again = exchange(agents_socket, std::move(request), listener);
    if (again) again->resume = served.resume;
    return again;
}

}  // namespace writ::cli

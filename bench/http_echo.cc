// An MCP server over streamable HTTP that costs next to nothing: one tool, `echo`, which answers 1
// KiB. It finds the id and the method by their fixed spelling, so that a measurement shows what
// stands in front of it and not this. One thread, epoll, JSON answers only.
// usage: http_echo PORT     (0: the kernel chooses; prints the port)
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

std::string_view between(std::string_view text, std::string_view mark, std::string_view ends) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) return {};
    const auto from = at + mark.size();
    return text.substr(from, text.find_first_of(ends, from) - from);
}

std::string result(std::string_view id, std::string_view result) {
    return std::string(R"({"jsonrpc":"2.0","id":)")
               .append(id)
               .append(R"(,"result":)")
               .append(result) +
           "}";
}

std::string http(std::string_view status, std::string_view more, std::string_view body) {
    std::string out("HTTP/1.1 ");
    out.append(status).append("\r\n").append(more);
    out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    return out.append(body);
}

std::string answer(std::string_view head, std::string_view body) {
    static const std::string text(960, 'x');
    static const std::string called = R"({"content":[{"type":"text","text":")" + text + "\"}]}";
    static const std::string kJson = "Content-Type: application/json\r\n";
    if (head.starts_with("GET ")) return http("405 Method Not Allowed", "Allow: POST\r\n", {});
    if (head.starts_with("DELETE ")) return http("200 OK", {}, {});
    // The envelope's members may come before or behind params, whose pad never holds these words.
    const std::string_view id = between(body, "\"id\":", ",}");
    const std::string_view method = between(body, "\"method\":\"", "\"");
    if (method == "tools/call") return http("200 OK", kJson, result(id, called));
    if (method == "initialize")
        return http("200 OK", kJson + "Mcp-Session-Id: bench\r\n",
                    result(id, R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)"
                               R"("serverInfo":{"name":"echo","version":"1"}})"));
    if (method == "tools/list")
        return http(
            "200 OK", kJson,
            result(id, R"({"tools":[{"name":"echo","inputSchema":{"type":"object","properties":)"
                       R"({"n":{"type":"integer"},"pad":{"type":"string"}},"required":["n"]}}]})"));
    if (id.empty()) return http("202 Accepted", {}, {});
    return http("200 OK", kJson, result(id, "{}"));
}

// What one connection has sent and not been answered. False when it is to be closed.
bool serve(int fd, std::string& in) {
    std::array<char, 65536> buffer;
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n <= 0) return false;
    in.append(buffer.data(), static_cast<std::size_t>(n));
    std::string out;
    for (;;) {
        const auto end = in.find("\r\n\r\n");
        if (end == std::string::npos) break;
        const std::string_view head = std::string_view(in).substr(0, end + 2);
        std::size_t length = 0;
        for (const char* name : {"Content-Length: ", "content-length: "}) {
            const auto value = between(head, name, "\r");
            if (!value.empty()) length = std::strtoul(std::string(value).c_str(), nullptr, 10);
        }
        if (in.size() < end + 4 + length) break;
        out += answer(head, std::string_view(in).substr(end + 4, length));
        in.erase(0, end + 4 + length);
    }
    for (std::size_t sent = 0; sent < out.size();) {
        const ssize_t k = write(fd, out.data() + sent, out.size() - sent);
        if (k <= 0) return false;
        sent += static_cast<std::size_t>(k);
    }
    return true;
}

int listen_on(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 512) != 0)
        return -1;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    const int listener =
        listen_on(static_cast<std::uint16_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0));
    if (listener < 0) {
        std::perror("http_echo");
        return 1;
    }
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    std::unordered_map<int, std::string> connections;
    std::array<epoll_event, 64> events;
    for (;;) {
        const int n = epoll_wait(poll, events.data(), events.size(), -1);
        for (int i = 0; i < n; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == listener) {
                const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
                const int on = 1;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                event.data.fd = client;
                epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
                connections[client];
            } else if (!serve(fd, connections[fd])) {
                connections.erase(fd);
                close(fd);
            }
        }
    }
}

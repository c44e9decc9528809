// The load of bench/run gateway: N keep-alive connections, each with one tools/call of 1 KiB at a
// time, MCP revision 2025-11-25, a fresh id a request. Every answer must be 200, name the id it was
// asked with and hold no error; anything else counts as bad. One thread, epoll.
// usage: mcp_load URL TOOL CONNECTIONS SECONDS
// Prints one JSON object: requests, bad, seconds, p50_us, p99_us.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Target {
    std::string host, path;
    std::uint16_t port = 0;
};

// http://127.0.0.1:PORT/PATH
Target target_of(std::string_view url) {
    url.remove_prefix(std::string_view("http://").size());
    const auto slash = url.find('/');
    const auto colon = url.find(':');
    Target out;
    out.host = url.substr(0, slash);
    out.path = slash == std::string_view::npos ? "/" : url.substr(slash);
    out.port = static_cast<std::uint16_t>(
        std::strtoul(std::string(url.substr(colon + 1)).c_str(), nullptr, 10));
    return out;
}

int connect_to(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        std::perror("mcp_load: connect");
        std::exit(1);
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

std::string_view header(std::string_view head, std::string_view name) {
    for (std::size_t at = 0; at < head.size();) {
        const auto end = std::min(head.find("\r\n", at), head.size());
        const std::string_view line = head.substr(at, end - at);
        const bool same = line.size() > name.size() && line[name.size()] == ':' &&
                          std::equal(name.begin(), name.end(), line.begin(),
                                     [](char a, char b) { return (a | 32) == (b | 32); });
        if (same) {
            auto value = line.substr(name.size() + 1);
            while (value.starts_with(' ')) value.remove_prefix(1);
            return value;
        }
        at = end + 2;
    }
    return {};
}

// One whole answer at the front of `in`: its bytes, or 0 while it is not whole.
struct Answer {
    std::size_t bytes = 0;
    std::string_view head, body;
};
Answer whole_answer(std::string_view in) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string_view::npos) return {};
    const std::string_view head = in.substr(0, end);
    if (const auto length = header(head, "content-length"); !length.empty()) {
        const std::size_t size = std::strtoul(std::string(length).c_str(), nullptr, 10);
        if (in.size() < end + 4 + size) return {};
        return {end + 4 + size, head, in.substr(end + 4, size)};
    }
    // Chunked, as some peers answer: whole when the last chunk is there.
    const auto last = in.find("0\r\n\r\n", end + 4);
    if (header(head, "transfer-encoding").empty()) return {end + 4, head, {}};
    if (last == std::string_view::npos) return {};
    return {last + 5, head, in.substr(end + 4, last - end - 4)};
}

struct Load {
    Target target;
    std::string tool, session;
    std::uint64_t next_id = 1;

    std::string post(std::string_view body) const {
        std::string out = "POST " + target.path + " HTTP/1.1\r\nHost: " + target.host +
                          "\r\nContent-Type: application/json\r\nAccept: application/json, "
                          "text/event-stream\r\n";
        if (!session.empty())
            out += "MCP-Protocol-Version: 2025-11-25\r\nMCP-Session-Id: " + session + "\r\n";
        out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
        return out.append(body);
    }
    std::string call(std::uint64_t id) const {
        static const std::string pad(900, 'p');
        return post(R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
                    R"(,"method":"tools/call","params":{"name":")" + tool +
                    R"(","arguments":{"n":1,"pad":")" + pad + "\"}}}");
    }
    // Blocking exchange, for the handshake. The answer's head.
    std::string exchange(int fd, const std::string& request) const {
        if (write(fd, request.data(), request.size()) < 0) std::exit(1);
        std::string in;
        std::array<char, 65536> buffer;
        for (;;) {
            const ssize_t n = read(fd, buffer.data(), buffer.size());
            if (n <= 0) {
                std::fprintf(stderr, "mcp_load: the peer closed during the handshake\n");
                std::exit(1);
            }
            in.append(buffer.data(), static_cast<std::size_t>(n));
            const Answer answer = whole_answer(in);
            if (answer.bytes != 0) return std::string(answer.head);
        }
    }
    void shake_hands() {
        const int fd = connect_to(target.port);
        const std::string head = exchange(
            fd,
            post(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":)"
                 R"("2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}})"));
        session = header(head, "mcp-session-id");
        exchange(fd, post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})"));
        close(fd);
    }
};

struct Connection {
    int fd = -1;
    std::string in;
    std::uint64_t id = 0;
    Clock::time_point sent;
};

void send_next(Load& load, Connection& connection) {
    connection.id = load.next_id++;
    const std::string request = load.call(connection.id);
    connection.sent = Clock::now();
    for (std::size_t at = 0; at < request.size();) {
        const ssize_t n = write(connection.fd, request.data() + at, request.size() - at);
        if (n <= 0) {
            std::perror("mcp_load: write");
            std::exit(1);
        }
        at += static_cast<std::size_t>(n);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: mcp_load URL TOOL CONNECTIONS SECONDS\n");
        return 2;
    }
    Load load;
    load.target = target_of(argv[1]);
    load.tool = argv[2];
    const auto count = std::strtoul(argv[3], nullptr, 10);
    const double seconds = std::strtod(argv[4], nullptr);
    load.shake_hands();

    const int poll = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Connection> connections(count);
    for (std::size_t i = 0; i < count; ++i) {
        connections[i].fd = connect_to(load.target.port);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    std::vector<float> latencies_us;
    latencies_us.reserve(1 << 20);
    std::uint64_t bad = 0;
    std::array<epoll_event, 64> events;
    std::array<char, 65536> buffer;
    const auto began = Clock::now();
    const auto until =
        began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (auto& connection : connections) send_next(load, connection);
    for (auto now = began; now < until;) {
        const int n = epoll_wait(poll, events.data(), events.size(), 1000);
        now = Clock::now();
        for (int i = 0; i < n; ++i) {
            Connection& connection = connections[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = read(connection.fd, buffer.data(), buffer.size());
            if (got <= 0) {
                std::fprintf(stderr, "mcp_load: the peer closed a connection\n");
                return 1;
            }
            connection.in.append(buffer.data(), static_cast<std::size_t>(got));
            const Answer answer = whole_answer(connection.in);
            if (answer.bytes == 0) continue;
            const std::string id = "\"id\":" + std::to_string(connection.id);
            if (!answer.head.starts_with("HTTP/1.1 200") ||
                answer.body.find(id) == std::string_view::npos ||
                answer.body.find("isError") != std::string_view::npos ||
                answer.body.find("\"error\"") != std::string_view::npos) {
                if (bad++ == 0)
                    std::fprintf(stderr, "mcp_load: bad answer: %.*s %.*s\n",
                                 static_cast<int>(std::min<std::size_t>(answer.head.size(), 200)),
                                 answer.head.data(),
                                 static_cast<int>(std::min<std::size_t>(answer.body.size(), 300)),
                                 answer.body.data());
            }
            now = Clock::now();
            latencies_us.push_back(
                std::chrono::duration<float, std::micro>(now - connection.sent).count());
            connection.in.clear();
            send_next(load, connection);
        }
    }
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    std::sort(latencies_us.begin(), latencies_us.end());
    const auto at = [&](double share) {
        if (latencies_us.empty()) return 0.0F;
        return latencies_us[static_cast<std::size_t>(share *
                                                     static_cast<double>(latencies_us.size() - 1))];
    };
    std::printf(
        "{\"requests\":%zu,\"bad\":%llu,\"seconds\":%.3f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
        latencies_us.size(), static_cast<unsigned long long>(bad), took,
        static_cast<double>(at(0.5)), static_cast<double>(at(0.99)));
    return 0;
}

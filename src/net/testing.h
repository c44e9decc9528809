// What net's tests share: a blocking client that says exactly the bytes it is told, as an attacker
// would.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/temp_dir.h"
#include "net/address.h"
#include "net/socket.h"

namespace writ::net {

// Of what is there long before.
inline constexpr Millis kSoon{10'000};

// sendmsg() of one byte with as many descriptors as asked, without our limit.
inline ssize_t send_raw_fds(int socket, const std::vector<int>& fds) {
    char byte = 'x';
    iovec part = {&byte, 1};
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

class RawClient {
  public:
    explicit RawClient(const Endpoint& endpoint) {
        const auto address = Address::of(endpoint);
        fd_ = Fd(socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        WRIT_CHECK(connect(fd_.get(), &address->any, address->size) == 0);
    }
    void say(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;  // refused meanwhile: what was answered is read all the same
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // Reads until `end` was seen, or the peer closed, or 10 s passed.
    std::string hear_until(std::string_view end) {
        std::string out;
        std::array<char, 65536> buffer{};
        while (end.empty() || out.find(end) == std::string::npos) {
            pollfd ready = {fd_.get(), POLLIN, 0};
            if (::poll(&ready, 1, 10'000) <= 0) return out + "<silence>";
            const ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0) return out;
            out.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return out;
    }
    std::string hear_all() { return hear_until({}); }
    void hang_up() { fd_ = Fd(); }
    int fd() const { return fd_.get(); }

  private:
    Fd fd_;
};

// An upstream that plays a script: for each connection, a list of answers, each sent after one
// request head was heard; then it closes.
class Scripted {
  public:
    explicit Scripted(std::vector<std::vector<std::string>> script)
        : listener_(*Listener::bind(*Endpoint::parse("127.0.0.1:0"))),
          endpoint_(listener_.endpoint()),
          thread_([this, script = std::move(script)] { play(script); }) {}
    ~Scripted() { thread_.join(); }
    const Endpoint& endpoint() const { return endpoint_; }
    int requests() const { return requests_; }

  private:
    void play(const std::vector<std::vector<std::string>>& script) {
        for (const auto& answers : script) {
            pollfd ready = {listener_.fd(), POLLIN, 0};
            if (::poll(&ready, 1, 10'000) <= 0) return;
            const Fd fd(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
            for (const std::string& answer : answers) {
                std::string heard;
                char byte = 0;
                while (!heard.ends_with("\r\n\r\n") && recv(fd.get(), &byte, 1, 0) == 1)
                    heard += byte;
                if (!heard.empty()) ++requests_;
                send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
            }
        }
    }
    Listener listener_;
    Endpoint endpoint_;
    std::atomic<int> requests_ = 0;
    std::thread thread_;
};

}  // namespace writ::net

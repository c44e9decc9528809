// An HTTP server on a thread of its own, and what a blocking client hears from it: for net's tests.
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "net/http.h"
#include "net/testing.h"

namespace writ::net {

class Served {
  public:
    explicit Served(HttpHandler handler, HttpServerOptions options = {},
                    std::function<bool(const Peer&)> filter = {})
        : Served(*Endpoint::parse("127.0.0.1:0"), std::move(handler), options, std::move(filter)) {}
    Served(const Endpoint& at, HttpHandler handler, HttpServerOptions options = {},
           std::function<bool(const Peer&)> filter = {}) {
        auto listener = Listener::bind(at);
        WRIT_CHECK(listener.has_value());
        endpoint_ = listener->endpoint();
        server_ = std::make_unique<HttpServer>(reactor_, std::move(*listener), std::move(handler),
                                               options);
        if (filter) server_->on_accept(std::move(filter));
        thread_ = std::thread([this] { reactor_.run(); });
        pthread_getcpuclockid(thread_.native_handle(), &cpu_);
    }
    ~Served() {
        reactor_.stop();
        thread_.join();
        server_.reset();
    }
    Reactor& reactor() { return reactor_; }
    HttpServer& server() { return *server_; }
    const Endpoint& endpoint() const { return endpoint_; }
    RawClient connect() { return RawClient(endpoint_); }
    // Says `bytes`, hears everything until the server closes.
    std::string ask(std::string_view bytes) {
        RawClient client = connect();
        client.say(bytes);
        return client.hear_all();
    }
    // What the server's thread has used.
    double cpu_s() const {
        timespec now{};
        clock_gettime(cpu_, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
    }

  private:
    Reactor reactor_;
    Endpoint endpoint_;
    std::unique_ptr<HttpServer> server_;
    std::thread thread_;
    clockid_t cpu_{};
};

}  // namespace writ::net

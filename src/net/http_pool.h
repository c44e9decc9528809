// HTTP/1.1 towards one server: a bounded pool of keep-alive connections, plain or TLS, and requests
// whose answers are read whole or piece by piece (SSE).
//
//   HttpPool pool(reactor, *Url::parse("http://127.0.0.1:3001/mcp"), {});
//   auto head = HttpHead::make("POST", "/mcp", pool.authority(), fields);       // once
//   auto call = pool.call();
//   if (auto got = co_await call->begin(*head, body, deadline, depart); !got) …
//   if (call->status() == 200) auto text = co_await call->read_all(kMax, deadline);
//
// A request whose bytes have been sent is never repeated: the server may have acted on it. What a
// server answers is read strictly (http_head.h, http_chunked.h) and every part of it is bounded.
// Redirects are answers like any other: nobody follows them here.
//
// Thread: the reactor's.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "net/http.h"
#include "net/http_url.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::net {

using Deadline = std::chrono::steady_clock::time_point;
class Resolver;
class TlsContext;

// Connections to one server, unless the owner says otherwise.
inline constexpr std::size_t kMaxConnectionsPerOrigin = 320;
// Of those, kept when idle.
inline constexpr std::size_t kMaxIdlePerOrigin = 64;
// An idle connection is used again only this young: Node closes its own after five seconds, and a
// request that crosses a close has an unknown outcome.
inline constexpr Millis kMaxIdle_ms{4'000};
// Addresses of one name that are tried.
inline constexpr std::size_t kMaxAddresses = 4;
// 1xx answers before the real one.
inline constexpr int kMaxInterimAnswers = 8;

struct HttpPoolOptions {
    std::size_t connections_max = kMaxConnectionsPerOrigin;
    std::size_t idle_max = kMaxIdlePerOrigin;
    Millis connect_timeout{10'000};
    std::string ca_file = {};  // https: PEM certificates trusted instead of the system's
    // Asked of each new connection who is at its other end, before a byte leaves; empty: everybody.
    std::function<Status(const Peer&)> trusts = {};
    std::shared_ptr<Resolver> resolver = {};  // of names; null: the system's
};

// Request line and fields, checked once and sent often.
class HttpHead {
  public:
    // `host` goes into Host unless `fields` has one. Errors: kInvalid (what cannot be sent).
    static Result<std::shared_ptr<const HttpHead>> make(std::string_view method,
                                                        std::string_view target,
                                                        std::string_view host,
                                                        const Headers& fields);
    // With Content-Length where a body may be, and the empty line.
    std::string text(std::size_t body_bytes) const;
    bool head_only() const { return head_only_; }

  private:
    std::string text_;
    bool has_body_ = false;   // of a method that has one even when it is empty
    bool head_only_ = false;  // HEAD
};
using HttpHeadPtr = std::shared_ptr<const HttpHead>;

// One request and its answer. Dropped half way it closes its connection.
class HttpCall {
  public:
    virtual ~HttpCall() = default;
    // Connects if need be, asks `depart`, writes, and reads the head of the answer. Errors:
    // depart's; kUnavailable (names the server), kTimeout, kInvalid (malformed answer),
    // kExhausted (connections_max), kCancelled (close()). sent() tells whether bytes may have left.
    virtual Task<Status> begin(HttpHeadPtr head, std::string body, Deadline deadline,
                               std::function<Status()> depart) = 0;
    virtual int status() const = 0;
    virtual const Headers& headers() const = 0;
    // The next bytes of the body; empty: it is whole. Errors: kUnavailable (cut), kInvalid,
    // kTimeout, kCancelled, kTooLarge (one chunk over kMaxChunkBytes).
    virtual Task<Result<std::string>> read(Deadline deadline) = 0;
    // All the rest. Errors: as read(), kTooLarge (over `bytes_max`).
    virtual Task<Result<std::string>> read_all(std::size_t bytes_max, Deadline deadline) = 0;
    virtual bool sent() const = 0;
    // Gives it up from outside: what waits ends with kCancelled, the connection is closed. While a
    // name is being resolved, it ends when that does.
    virtual void close() = 0;
};
using HttpCallPtr = std::shared_ptr<HttpCall>;

// One announced chunk of a chunked body.
inline constexpr std::size_t kMaxChunkBytes = 8 << 20;

class HttpPool {
  public:
    // Errors: kInvalid, kNotFound (the certificate file).
    static Result<std::shared_ptr<HttpPool>> make(Reactor& reactor, Url url,
                                                  HttpPoolOptions options = {});
    // A loopback or unix endpoint.
    HttpPool(Reactor& reactor, Endpoint endpoint, HttpPoolOptions options = {});
    ~HttpPool();  // closes idle connections; calls go on
    HttpPool(const HttpPool&) = delete;
    HttpPool& operator=(const HttpPool&) = delete;

    HttpCallPtr call();
    std::string authority() const;
    std::size_t connections() const;  // open or opening
    std::size_t idle() const;

    struct State;

  private:
    HttpPool();
    std::shared_ptr<State> state_;
};

}  // namespace writ::net

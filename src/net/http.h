// HTTP/1.1, server and client, over TCP or unix sockets. Strict: bounded heads and bodies, exact
// Content-Length, one framing, no obs-fold, no chunk extensions or trailers, no duplicate
// Content-Length/Transfer-Encoding/Host/Authorization. Every byte is read by our own strict codec.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "net/reactor.h"
#include "net/socket.h"
#include "net/task.h"

namespace writ::net {

// Header fields in order of arrival; names compare without case. All of their text stands in one
// string: what is read of it is valid until something is added.
//
//   for (const auto [name, value] : headers) …
class Headers {
  public:
    struct Field {
        std::string_view name, value;
    };
    void add(std::string_view name, std::string_view value);
    // The first value of that name, or nothing.
    std::optional<std::string_view> get(std::string_view name) const;
    std::size_t count(std::string_view name) const { return find(name).count; }
    // Both in one look: the value is the first, and means nothing where the count is 0.
    struct Found {
        std::size_t count = 0;
        std::string_view value;
    };
    Found find(std::string_view name) const;
    std::size_t size() const { return places_.size(); }

    class Iterator {
      public:
        Iterator(const Headers& of, std::size_t at) : of_(&of), at_(at) {}
        Field operator*() const { return of_->field(of_->places_[at_]); }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        bool operator==(const Iterator&) const = default;

      private:
        const Headers* of_;
        std::size_t at_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, places_.size()}; }
    bool operator==(const Headers&) const = default;

  private:
    struct Place {
        std::size_t at, name_size, value_size;  // the value follows its name
        bool operator==(const Place&) const = default;
    };
    bool is_named(const Place& place, std::string_view name) const;
    Field field(const Place& place) const {
        const std::string_view text = text_;
        return {text.substr(place.at, place.name_size),
                text.substr(place.at + place.name_size, place.value_size)};
    }

    std::string text_;
    std::vector<Place> places_;
};

struct HttpRequest {
    std::string method;
    std::string target;  // origin form, as sent
    Headers headers;
    std::string body;
    Peer peer;  // who is connected
};

struct HttpResponse {
    int status = 200;
    Headers headers;  // Content-Length, Date and Connection are the codec's
    std::string body;
    static HttpResponse json(int status, std::string body);
};

inline constexpr Millis kAskWhileWaiting{50};

// How a handler answers: once whole with send(), or begin() then any number of chunk() then end()
// (SSE). Valid until the handler returns: no answer by then is a 500, a stream without end() is
// cut. kInvalid (a header that cannot be sent) and kConflict (answered already) leave the peer as
// it was. Other errors mean the peer is gone; the handler may go on but nothing more is written.
class Responder {
  public:
    virtual ~Responder() = default;
    virtual Task<Status> send(HttpResponse response) = 0;
    virtual Task<Status> begin(int status, Headers headers) = 0;
    virtual Task<Status> chunk(std::string bytes) = 0;
    virtual Task<Status> end() = 0;
    // True once the peer has closed or reset the connection; one that only closes its sending side
    // counts as gone too. Noticed while the handler waits, unless more than 64 KiB of pipelined
    // requests stand in front of the end.
    virtual bool peer_gone() const = 0;
    // Calls `then` on the loop, once, when the peer is noticed to be gone while the handler waits;
    // it replaces what was given before and is dropped when the handler returns.
    virtual void on_gone(std::function<void()> then) { static_cast<void>(then); }
    // From now on `holds` is asked while an answer waits for its reader, every kAskWhileWaiting at
    // least. Once it says no, nothing more of the answer leaves: the connection is reset, so that
    // what the kernel still has of it is lost, too. Not asked when the handler has returned.
    virtual void only_while(std::function<bool()> holds) { static_cast<void>(holds); }
};

using HttpHandler = std::function<Task<void>(HttpRequest, Responder&)>;

struct HttpServerOptions {
    std::size_t body_bytes_max = kMaxBodyBytes;
    std::size_t header_bytes_max = kMaxHeaderBytes;
    // Beyond it the connection that has been idle longest is closed for the new one; only where
    // all are busy the new one gets a 503.
    std::size_t connections_max = 4096;
    // Of request bodies in memory at once, over all connections; what would exceed it gets a 503.
    // 64 whole bodies: far more than are ever under way, far less than connections_max of them.
    std::size_t bodies_bytes_max = 64 * kMaxBodyBytes;
    // Of answers in memory that wait for their readers, over all connections: what a peer does not
    // take at once. One that would exceed it is cut off. Some 16 of the largest answers, as much as
    // of request bodies: those who read are done with theirs in milliseconds.
    std::size_t answers_bytes_max = 16 * kMaxUpstreamMessageBytes;
    // Asked once about a request whose body has not all come with its head; false leaves the body
    // unread, so that a stranger's costs nothing. The handler gets an empty one and has to refuse;
    // the connection closes with its answer. Null: every body is read.
    std::function<bool(const HttpRequest& head)> wants_body = nullptr;
    Millis head_timeout{10'000};  // from accept or from the end of the last answer + idle
    Millis body_timeout{30'000};
    Millis idle_timeout{75'000};
    Millis write_timeout{30'000};
};

// Serves every connection of `listener` on `reactor` until close(). The handler is kept alive by
// open connections. A framing error is answered (400, 408, 413, 417, 431, 501) with a small JSON
// body
// `{"error":…}` and the connection closed; the handler does not see it.
class HttpServer {
  public:
    HttpServer(Reactor& reactor, Listener listener, HttpHandler handler,
               HttpServerOptions options = {});
    ~HttpServer();
    void close();  // stops accepting and closes idle connections; busy ones end with their answer.
                   // Thread: the reactor's
    std::size_t connections() const;
    // Called for each accepted connection before its first request; false closes it at once (e.g. a
    // peer of another uid).
    void on_accept(std::function<bool(const Peer&)> filter);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// One keep-alive connection to an HTTP server; requests one after the other. Reconnects when the
// peer closed it between requests.
class HttpClient {
  public:
    // `trusts` is asked who answers, of each new connection, before anything is sent on it; empty:
    // everybody. A longer answer than `answer_bytes_max` is kTooLarge.
    HttpClient(Reactor& reactor, Endpoint endpoint,
               std::function<Status(const Peer&)> trusts = nullptr,
               std::size_t answer_bytes_max = kMaxUpstreamMessageBytes);
    ~HttpClient();
    // Errors: kUnavailable (cannot connect; detail names the endpoint), kTimeout, kInvalid
    // (malformed answer), kTooLarge; what `trusts` said.
    Task<Result<HttpResponse>> request(HttpRequest request, Millis timeout);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace writ::net

// What a pool and its calls share. Inner header of the room.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/asio_impl.h"
#include "net/http_pool.h"
#include "net/http_wire.h"
#include "net/tls.h"

namespace writ::net {

struct HttpPool::State {
    State(Reactor& r, HttpPoolOptions o) : reactor(r), options(std::move(o)) {}

    struct Idle {
        std::unique_ptr<Wire> wire;
        TimePoint since;
    };

    Reactor& reactor;
    HttpPoolOptions options;
    Endpoint endpoint;  // used where `name` is empty
    Url url;
    std::string name;                       // of the server, for people
    std::shared_ptr<const TlsContext> tls;  // null: plain
    bool by_url = false;
    bool closed = false;
    std::size_t open = 0;
    std::vector<Idle> idle;  // the youngest last

    Error error(ErrorCode code, std::string_view why) const;
    // An idle connection that is still sound, or nothing.
    std::unique_ptr<Wire> take_idle();
    void give_back(std::unique_ptr<Wire> wire);
    void drop(std::unique_ptr<Wire> wire);
};
using PoolState = std::shared_ptr<HttpPool::State>;

// A handle to close what connect_wire() is waiting for.
struct Connecting {
    std::weak_ptr<Poll> poll;
    bool closed = false;
};

// A new connection, counted in `state->open` (the caller takes it back with drop()). Errors: as
// HttpCall::begin.
Task<Result<std::unique_ptr<Wire>>> connect_wire(PoolState state,
                                                 std::shared_ptr<Connecting> connecting,
                                                 TimePoint deadline);

}  // namespace writ::net

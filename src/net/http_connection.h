// One accepted HTTP connection: reads requests one after the other, strictly, and has each
// answered.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "net/budget.h"
#include "net/http_exchange.h"
#include "net/http_head.h"
#include "net/http_wire.h"

namespace writ::net {

// What all connections of one server take together.
struct Budgets {
    std::shared_ptr<Budget> bodies;   // of requests
    std::shared_ptr<Budget> answers;  // that wait for their readers
};

class Connection final : public std::enable_shared_from_this<Connection> {
  public:
    Connection(std::shared_ptr<Poll> poll, Peer peer, std::shared_ptr<const HttpHandler> handler,
               const HttpServerOptions& options, Budgets budgets);

    ~Connection() { charge(0); }
    // Serves until either side ends it, then closes it.
    static Task<void> serve(std::shared_ptr<Connection> self);
    // No further request: an idle connection is closed, a busy one after its answer.
    void finish();
    // Since when nothing of a request is here, if nothing is.
    std::optional<TimePoint> idle_since() const;

  private:
    enum class Got { kRequest, kNothing, kRefused };

    Task<Got> read_request();
    Task<Got> read_head();
    Task<Got> read_body();
    // This connection's body takes `bytes` from now on. False: that is too much.
    bool charge(std::size_t bytes);
    Task<bool> answer();
    Task<void> refuse();
    Task<void> drain();
    Got refused(Refusal why);
    // Nothing of the next request has been received: also not by a read whose coroutine waits in
    // step.
    bool is_idle() const { return idle_ && wire_.in.empty(); }

    Wire wire_;
    Peer peer_;
    const std::shared_ptr<const HttpHandler> handler_;
    const HttpServerOptions options_;
    const Budgets budgets_;
    std::size_t charged_ = 0;  // of budgets_.bodies
    const TimePoint accepted_at_;
    TimePoint idle_since_;
    RequestHead head_;
    HttpRequest request_;
    Refusal refusal_;
    std::size_t scanned_ = 0;  // of wire_.in, while a head is incomplete
    bool first_ = true;        // no request yet
    bool idle_ = true;         // between requests; see is_idle()
    bool finishing_ = false;
    bool unread_ = false;           // the body of the last request is left where it is
    Exchange* exchange_ = nullptr;  // while a handler runs
};

}  // namespace writ::net

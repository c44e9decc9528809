// How one request is answered: the Responder that a handler gets.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "net/budget.h"
#include "net/http_head.h"
#include "net/http_wire.h"

namespace writ::net {

// Lives in the frame that runs the handler. `wire` outlives it.
class Exchange final : public Responder {
  public:
    // `framing` tells what the request allows; the answer says whether the connection stays.
    // `answers`: where an answer that waits for its reader is counted.
    Exchange(Wire& wire, const Framing& framing, bool head_only, Millis write_timeout,
             std::shared_ptr<Budget> answers)
        : wire_(wire),
          turn_(wire.poll->reactor()),
          http10_(framing.http10),
          head_only_(head_only),
          keep_alive_(framing.keep_alive),
          write_timeout_(write_timeout),
          answers_(std::move(answers)) {}

    Task<Status> send(HttpResponse response) override;
    Task<Status> begin(int status, Headers headers) override;
    Task<Status> chunk(std::string bytes) override;
    Task<Status> end() override;
    bool peer_gone() const override { return wire_.ended || broken_; }
    void on_gone(std::function<void()> then) override { on_gone_ = std::move(then); }
    void only_while(std::function<bool()> holds) override { holds_ = std::move(holds); }
    // The connection has noticed that the peer is gone.
    void note_gone() {
        if (const auto then = std::exchange(on_gone_, nullptr)) then();
    }

    // After the handler: answers 500 if it said nothing. True if the connection may go on.
    Task<bool> finish();
    // The answer to come is the connection's last.
    void close_after() { keep_alive_ = false; }

  private:
    enum class Stage { kNothing, kStreaming, kAnswered };
    Task<Status> write(std::string head, std::string body);
    Status may_begin() const;

    Wire& wire_;
    Turnstile turn_;
    const bool http10_;
    const bool head_only_;
    bool keep_alive_;
    bool bodiless_ = false;
    bool broken_ = false;  // an answer was cut short: the connection is unusable
    Stage stage_ = Stage::kNothing;
    std::function<void()> on_gone_;
    std::function<bool()> holds_;
    const Millis write_timeout_;
    const std::shared_ptr<Budget> answers_;
};

}  // namespace writ::net

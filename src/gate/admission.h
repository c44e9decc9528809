// The Admission that a door holds while its call lives. Inner header of the room.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "gate/gate.h"
#include "gate/home.h"
#include "gate/outflow.h"

namespace writ::gate {

// Requests of an upstream to the client during one call that are recorded one by one; each is
// refused.
inline constexpr std::int64_t kMaxInward_per_call = 16;

class OpenCall final : public Admission {
  public:
    OpenCall(PassagePtr passage, std::shared_ptr<HomeState> home);
    ~OpenCall() override;
    OpenCall(const OpenCall&) = delete;
    OpenCall& operator=(const OpenCall&) = delete;

    const CallId& call() const override { return passage_->id; }
    const catalog::Tool& tool() const override { return *passage_->tool; }
    const identity::Session& session() const override { return passage_->session(); }
    const std::string& arguments() const override { return passage_->call.arguments; }
    const evidence::Receipt& receipt() const override { return passage_->receipt; }
    Status depart() override;
    net::Task<std::variant<Refusal, std::monostate>> inward(Inward request) override;
    net::Task<Status> settled() override;
    net::Task<Result<std::string>> chunk(std::string bytes) override;
    net::Task<Result<std::string>> aside(std::string message) override;
    net::Task<Result<std::string>> rest() override;
    net::Task<Status> close(Outcome outcome) override;

  private:
    Status still_open() const;

    PassagePtr passage_;
    std::shared_ptr<HomeState> home_;
    Outflow outflow_;           // of the door's reactor
    bool close_asked_ = false;  // likewise
};

}  // namespace writ::gate

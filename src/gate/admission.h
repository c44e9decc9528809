// The Admission that a door holds while its call lives. Inner header of the room.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "gate/gate.h"
#include "gate/home.h"

namespace writ::gate {

// Output that may be kept back at once, so that a pattern cut in two by a chunk's border is still
// seen whole.
inline constexpr std::size_t kHoldBackBytes = 4 << 10;
// Requests of an upstream to the client during one call that are recorded one by one; each is
// refused.
inline constexpr std::int64_t kMaxInward_per_call = 16;

// Output on its way back. Nothing inspects it yet, so nothing is held: it counts, and bounds.
class Window {
  public:
    // The bytes that may be released now. Errors: kTooLarge once more than kMaxUpstreamMessageBytes
    // came, and for good.
    Result<std::string> pass(std::string bytes);
    std::size_t passed() const { return passed_; }

  private:
    std::size_t passed_ = 0;
};

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
    net::Task<Result<std::string>> chunk(std::string bytes) override;
    net::Task<Result<evidence::Receipt>> close(Outcome outcome) override;

  private:
    Status still_open() const;

    PassagePtr passage_;
    std::shared_ptr<HomeState> home_;
    Window window_;             // of the door's reactor
    bool close_asked_ = false;  // likewise
};

}  // namespace writ::gate

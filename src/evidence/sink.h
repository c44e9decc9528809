// Long texts that are written piece by piece, so that nobody holds the whole.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::evidence {

// Takes the next piece. Errors: its own; nothing more is given to it then.
using Sink = std::function<Status(std::string_view)>;

// Gathers small pieces for a sink. After an error it drops what comes; finish() tells it.
class Pieces {
  public:
    explicit Pieces(const Sink& sink) : sink_(sink) { text_.reserve(2 * kPieceBytes); }

    // Append here …
    std::string& text() { return text_; }
    // … and say so now and then.
    void pause() {
        if (text_.size() >= kPieceBytes) hand_over();
    }
    bool failed() const { return !state_; }
    Status finish() {
        hand_over();
        return state_;
    }

  private:
    static constexpr std::size_t kPieceBytes = 64 << 10;

    void hand_over() {
        if (state_ && !text_.empty()) state_ = sink_(text_);
        text_.clear();
    }

    const Sink& sink_;
    std::string text_;
    Status state_;
};

// What `write(sink)` writes, as one text: for what is known to be short.
template <class Write>
std::string whole_text(Write write) {
    std::string out;
    const Sink sink = [&out](std::string_view piece) -> Status {
        out += piece;
        return {};
    };
    static_cast<void>(write(sink));  // this sink never fails
    return out;
}

}  // namespace writ::evidence

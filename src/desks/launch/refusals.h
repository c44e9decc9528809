// Gathers refused hand-overs, so that whoever knocks in a loop does not fill the log: the first of
// a code is told at once, what follows within a minute is told as one with its number.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "net/socket.h"

namespace writ::launch {

// What is told of one code is one event in this time at most; there are as many codes as ErrorCode
// has values.
inline constexpr std::int64_t kRefusalsEvery_us = 60'000'000;

// Refusals of one code.
struct Refused {
    std::string code;    // as name(ErrorCode)
    std::string peer;    // the first one's
    std::string reason;  // likewise
    std::int64_t n = 0;  // how many
};

class Refusals {
  public:
    using Tell = std::function<void(const Refused&)>;
    // `clock` must outlive it.
    Refusals(const Clock& clock, Tell tell);

    void add(const net::Peer& peer, const Error& error);
    // Tells what is due.
    void tell_due();
    // Tells everything now, for a stop.
    void tell_all();
    // Whether something waits to be told.
    bool waiting() const;

  private:
    struct Kind {
        Refused gathered;
        std::int64_t told_boot_us = 0;
    };
    void tell(Kind& kind);

    const Clock& clock_;
    Tell tell_;
    std::map<ErrorCode, Kind> kinds_;
};

}  // namespace writ::launch

// Server-sent events, read as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event
// stream"): UTF-8 with an optional byte order mark; lines end in LF, CR or CRLF, also where two
// pieces meet; `data` lines join with LF; an empty line dispatches; a line that starts with `:` is
// a comment; unknown fields are ignored; an `id` with a NUL is ignored; what has no empty line at
// the end of the stream is dropped.
//
// Two departures, both for MCP: an event with an empty `data` line is dispatched (the priming event
// of revision 2025-11-25 is one; `data` without a value still says so), one without any `data` line
// is not, as in the standard. And everything is bounded, because the sender is foreign.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"

namespace writ::net {

// Data of one event: one message of an upstream and its field names.
inline constexpr std::size_t kMaxSseEventBytes = kMaxUpstreamMessageBytes + (64 << 10);
// An event id. Servers put a stream's name and a counter there.
inline constexpr std::size_t kMaxSseIdBytes = 1'024;
// A `retry` beyond this is taken for this.
inline constexpr std::uint64_t kMaxSseRetry_ms = 60'000;

struct SseEvent {
    std::string type = "message";
    std::string data;
    bool operator==(const SseEvent&) const = default;
};

class SseParser {
  public:
    explicit SseParser(std::size_t event_bytes_max = kMaxSseEventBytes)
        : event_bytes_max_(event_bytes_max) {}
    // Takes the next bytes of the stream. Errors: kTooLarge (one event or one line is over
    // `event_bytes_max`); nothing is read after an error.
    Status put(std::string_view bytes);
    // The next whole event, or nothing.
    std::optional<SseEvent> next();
    // Of the last `id` field of a dispatched event; empty: none.
    const std::string& last_id() const { return last_id_; }
    // The last valid `retry` field.
    std::optional<std::uint64_t> retry_ms() const { return retry_ms_; }
    // Lines that carried nothing: comments, unknown fields, and empty lines without an event.
    std::uint64_t idle_lines() const { return idle_lines_; }

  private:
    void take_line(std::string_view line);
    void take_field(std::string_view name, std::string_view value);
    void dispatch();

    const std::size_t event_bytes_max_;
    bool failed_ = false;
    bool begun_ = false;       // the byte order mark is behind us
    bool after_cr_ = false;    // an LF now belongs to the line that has ended
    std::string line_;         // the beginning of an unfinished line
    std::string data_, type_;  // of the event that is being read
    bool has_data_ = false;
    std::string id_, last_id_;
    std::optional<std::uint64_t> retry_ms_;
    std::uint64_t idle_lines_ = 0;
    std::deque<SseEvent> events_;
};

}  // namespace writ::net

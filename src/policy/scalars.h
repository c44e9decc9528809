// Scalars of JSON as Cedar's: numbers without loss, dates, durations.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace writ::policy {

// A JSON number lexeme times 10,000, if that is a 64-bit integer exactly: Cedar's decimal. `1e2`
// and `1.50` are numbers like any other; `0.00001` has no such form.
std::optional<std::int64_t> exact_decimal(std::string_view lexeme);
// The lexeme as a 64-bit integer, if it is one exactly (`1.0` and `1e3` are).
std::optional<std::int64_t> exact_integer(std::string_view lexeme);

// Milliseconds since the epoch of an RFC 3339 date-time, or of a full-date (midnight, UTC). A time
// without a zone is UTC. What is finer than a millisecond is cut off. Leap seconds are refused.
std::optional<std::int64_t> datetime_ms(std::string_view text);
// Milliseconds of an ISO 8601 duration (RFC 3339, appendix A). A year counts 365 days, a month 30.
std::optional<std::int64_t> duration_ms(std::string_view text);

}  // namespace writ::policy

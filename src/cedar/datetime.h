// The datetime and duration extensions: both an i64 of milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cedar/decimal.h"

namespace writ::cedar {

// `YYYY-MM-DD`, `YYYY-MM-DDThh:mm:ss[.SSS](Z|(+|-)hhmm)`; milliseconds since the epoch.
Parsed<std::int64_t> parse_datetime(std::string_view text);
// `-?(Nd)?(Nh)?(Nm)?(Ns)?(Nms)?`, at least one part; milliseconds.
Parsed<std::int64_t> parse_duration(std::string_view text);
// Cedar source of the datetime: a literal where the year has four digits, else an offset from the
// epoch.
std::string datetime_text(std::int64_t ms);
// The same always as an offset from the epoch, as the reference's errors write it.
std::string datetime_in_errors(std::int64_t ms);

// The UTC midnight at or before `ms`.
Parsed<std::int64_t> to_date(std::int64_t ms);
// Milliseconds since that midnight, in [0, 86,400,000).
std::int64_t to_time(std::int64_t ms);

}  // namespace writ::cedar

// The operator's log: one line an event on stderr, `2026-11-24T09:30:00.123Z INFO gate: …`. It is
// for running the gateway, not for evidence; no secret, argument or output is ever written to it,
// and foreign text passes inert().
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace writ::log {

enum class Level { kDebug, kInfo, kWarn, kError };

// Lines below `level` are dropped. Default kInfo. Thread: any.
void set_level(Level level);
void write(Level level, std::string_view room, std::string_view text);

template <class... A>
void debug(std::string_view room, fmt::format_string<A...> format, A&&... args) {
    write(Level::kDebug, room, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void info(std::string_view room, fmt::format_string<A...> format, A&&... args) {
    write(Level::kInfo, room, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void warn(std::string_view room, fmt::format_string<A...> format, A&&... args) {
    write(Level::kWarn, room, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void error(std::string_view room, fmt::format_string<A...> format, A&&... args) {
    write(Level::kError, room, fmt::format(format, std::forward<A>(args)...));
}

}  // namespace writ::log

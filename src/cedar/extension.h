// The extension functions: their names, arities and what they compute. One table serves the parser
// (is this a function or a method?), the evaluator and the data loader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cedar/decimal.h"
#include "cedar/value.h"

namespace writ::cedar {

enum class Function : std::uint8_t {
    kDecimal,
    kIp,
    kDatetime,
    kDuration,
    kLessThan,
    kLessThanOrEqual,
    kGreaterThan,
    kGreaterThanOrEqual,
    kIsIpv4,
    kIsIpv6,
    kIsLoopback,
    kIsMulticast,
    kIsInRange,
    kOffset,
    kDurationSince,
    kToDate,
    kToTime,
    kToMilliseconds,
    kToSeconds,
    kToMinutes,
    kToHours,
    kToDays,
};

struct FunctionInfo {
    std::string_view name;
    bool method;            // called x.name(…); a constructor is called name(…)
    std::uint8_t arity;     // the receiver counted
    bool gives_extension;   // may be called in entity and context data
    std::string_view type;  // the extension it belongs to, for errors
};

const FunctionInfo& info(Function function);
std::optional<Function> find_function(std::string_view name);
inline bool is_constructor(Function function) {
    return !info(function).method;
}

// Calls it. An ip address that the call makes is put into `place`, and the result borrows it.
// Errors: wrong number or type of arguments, a constructor's text, overflow; in the reference's
// words.
Parsed<Cell> call_function(Function function, std::span<const Cell> arguments, IpNet& place);

// ``type error: expected string, got long``
std::string type_error(std::string_view expected, const Cell& got);

}  // namespace writ::cedar

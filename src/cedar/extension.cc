#include "cedar/extension.h"

#include <fmt/format.h>

#include <array>

#include "cedar/datetime.h"

namespace writ::cedar {
namespace {

constexpr std::array<FunctionInfo, 22> kFunctions = {{
    {"decimal", false, 1, true, "decimal"},       {"ip", false, 1, true, "ipaddr"},
    {"datetime", false, 1, true, "datetime"},     {"duration", false, 1, true, "duration"},
    {"lessThan", true, 2, false, "decimal"},      {"lessThanOrEqual", true, 2, false, "decimal"},
    {"greaterThan", true, 2, false, "decimal"},   {"greaterThanOrEqual", true, 2, false, "decimal"},
    {"isIpv4", true, 1, false, "ipaddr"},         {"isIpv6", true, 1, false, "ipaddr"},
    {"isLoopback", true, 1, false, "ipaddr"},     {"isMulticast", true, 1, false, "ipaddr"},
    {"isInRange", true, 2, false, "ipaddr"},      {"offset", true, 2, true, "datetime"},
    {"durationSince", true, 2, true, "datetime"}, {"toDate", true, 1, true, "datetime"},
    {"toTime", true, 1, true, "datetime"},        {"toMilliseconds", true, 1, false, "duration"},
    {"toSeconds", true, 1, false, "duration"},    {"toMinutes", true, 1, false, "duration"},
    {"toHours", true, 1, false, "duration"},      {"toDays", true, 1, false, "duration"},
}};

tl::unexpected<std::string> refuse(Function function, std::string_view why) {
    const FunctionInfo& called = info(function);
    return tl::make_unexpected(fmt::format("error while evaluating `{}` extension function: {}",
                                           called.method ? called.name : called.type, why));
}

std::string_view name_of(Type type) {
    switch (type) {
        case Type::kString:
            return "string";
        case Type::kDecimal:
            return "decimal";
        case Type::kIp:
            return "ipaddr";
        case Type::kDatetime:
            return "datetime";
        default:
            return "duration";
    }
}

// The types of the arguments, receiver first.
std::array<Type, 2> parameters(Function function) {
    switch (function) {
        case Function::kDecimal:
        case Function::kIp:
        case Function::kDatetime:
        case Function::kDuration:
            return {Type::kString, Type::kString};
        case Function::kLessThan:
        case Function::kLessThanOrEqual:
        case Function::kGreaterThan:
        case Function::kGreaterThanOrEqual:
            return {Type::kDecimal, Type::kDecimal};
        case Function::kIsIpv4:
        case Function::kIsIpv6:
        case Function::kIsLoopback:
        case Function::kIsMulticast:
        case Function::kIsInRange:
            return {Type::kIp, Type::kIp};
        case Function::kOffset:
            return {Type::kDatetime, Type::kDuration};
        case Function::kDurationSince:
        case Function::kToDate:
        case Function::kToTime:
            return {Type::kDatetime, Type::kDatetime};
        case Function::kToMilliseconds:
        case Function::kToSeconds:
        case Function::kToMinutes:
        case Function::kToHours:
        case Function::kToDays:
            break;
    }
    return {Type::kDuration, Type::kDuration};
}

Parsed<Cell> construct(Function function, const std::string& text, IpNet& place) {
    if (function == Function::kIp) {
        const auto net = parse_ip(text);
        if (!net) return refuse(function, net.error());
        place = *net;
        return Cell::ip(place);
    }
    const auto number = function == Function::kDecimal    ? parse_decimal(text)
                        : function == Function::kDatetime ? parse_datetime(text)
                                                          : parse_duration(text);
    if (!number) return refuse(function, number.error());
    const Type type = function == Function::kDecimal    ? Type::kDecimal
                      : function == Function::kDatetime ? Type::kDatetime
                                                        : Type::kDuration;
    return Cell::number(type, *number);
}

Parsed<Cell> call_ip(Function function, std::span<const Cell> arguments) {
    const IpNet& net = arguments[0].ip();
    switch (function) {
        case Function::kIsIpv4:
            return Cell::boolean(!net.v6);
        case Function::kIsIpv6:
            return Cell::boolean(net.v6);
        case Function::kIsLoopback:
            return Cell::boolean(net.is_loopback());
        case Function::kIsMulticast:
            return Cell::boolean(net.is_multicast());
        default:
            return Cell::boolean(net.in_range(arguments[1].ip()));
    }
}

Parsed<Cell> call_datetime(Function function, std::span<const Cell> arguments) {
    const std::int64_t ms = arguments[0].number();
    std::int64_t result = 0;
    switch (function) {
        case Function::kOffset:
            if (__builtin_add_overflow(ms, arguments[1].number(), &result))
                return refuse(function, fmt::format("overflows when adding an offset: {}+({}ms)",
                                                    datetime_in_errors(ms), arguments[1].number()));
            return Cell::number(Type::kDatetime, result);
        case Function::kDurationSince:
            if (__builtin_sub_overflow(ms, arguments[1].number(), &result))
                return refuse(
                    function,
                    fmt::format("overflows when computing the duration between {} and {}",
                                datetime_in_errors(ms), datetime_in_errors(arguments[1].number())));
            return Cell::number(Type::kDuration, result);
        case Function::kToDate: {
            const auto date = to_date(ms);
            if (!date) return refuse(function, date.error());
            return Cell::number(Type::kDatetime, *date);
        }
        default:
            return Cell::number(Type::kDuration, to_time(ms));
    }
}

// Methods on two numbers of one kind, and the units of a duration.
Cell call_number(Function function, std::span<const Cell> arguments) {
    const std::int64_t a = arguments[0].number();
    switch (function) {
        case Function::kLessThan:
            return Cell::boolean(a < arguments[1].number());
        case Function::kLessThanOrEqual:
            return Cell::boolean(a <= arguments[1].number());
        case Function::kGreaterThan:
            return Cell::boolean(a > arguments[1].number());
        case Function::kGreaterThanOrEqual:
            return Cell::boolean(a >= arguments[1].number());
        case Function::kToSeconds:
            return Cell::number(Type::kLong, a / 1'000);
        case Function::kToMinutes:
            return Cell::number(Type::kLong, a / 60'000);
        case Function::kToHours:
            return Cell::number(Type::kLong, a / 3'600'000);
        case Function::kToDays:
            return Cell::number(Type::kLong, a / 86'400'000);
        default:
            return Cell::number(Type::kLong, a);
    }
}

}  // namespace

const FunctionInfo& info(Function function) {
    return kFunctions[static_cast<std::size_t>(function)];
}

std::optional<Function> find_function(std::string_view name) {
    for (std::size_t i = 0; i < kFunctions.size(); ++i)
        if (kFunctions[i].name == name) return static_cast<Function>(i);
    return std::nullopt;
}

std::string type_error(std::string_view expected, const Cell& got) {
    return fmt::format("type error: expected {}, got {}", expected, type_name(got));
}

Parsed<Cell> call_function(Function function, std::span<const Cell> arguments, IpNet& place) {
    const FunctionInfo& called = info(function);
    if (arguments.size() != called.arity)
        return tl::make_unexpected(fmt::format(
            "wrong number of arguments provided to extension function `{}`: expected {}, got {}",
            called.name, called.arity, arguments.size()));
    const auto types = parameters(function);
    for (std::size_t i = 0; i < arguments.size(); ++i)
        if (!arguments[i].is(types[i]))
            return tl::make_unexpected(type_error(name_of(types[i]), arguments[i]));
    if (!called.method) return construct(function, arguments[0].text(), place);
    if (types[0] == Type::kIp) return call_ip(function, arguments);
    if (types[0] == Type::kDatetime) return call_datetime(function, arguments);
    return call_number(function, arguments);
}

}  // namespace writ::cedar

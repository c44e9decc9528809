#include "cedar/est_reading.h"

#include <fmt/format.h>

#include <array>

#include "cedar/ast.h"
#include "cedar/escape.h"
#include "cedar/est.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

constexpr std::size_t kShownBytesMax = 60;  // of a value in an error
constexpr std::string_view kUidWanted = "an entity, `{\"type\": …, \"id\": …}`";

}  // namespace

EstReading::Step::Step(EstReading& reading, std::string_view key)
    : place_(reading.place_), size_(place_.size()) {
    place_ += pointer_step(key);
}

bool EstReading::wrong(std::string_view message) {
    error_.code = ErrorCode::kInvalid;
    error_.detail = fmt::format("at `{}`: {}", place_.empty() ? "/" : place_, message);
    return false;
}
bool EstReading::expected(std::string_view what, const json::Value& got) {
    const std::string_view raw = got.raw();
    std::size_t shown = std::min(raw.size(), kShownBytesMax);
    while (shown > 0 && shown < raw.size() && (raw[shown] & 0xc0) == 0x80) --shown;
    return wrong(fmt::format("expected {}, but got `{}`{}", what, raw.substr(0, shown),
                             shown < raw.size() ? " …" : ""));
}

bool EstReading::known(const json::Value& value, std::span<const std::string_view> names) {
    for (const json::Member& member : value.members()) {
        if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
        const std::string near = nearest(member.key, names);
        return wrong(fmt::format("unknown member `{}`{}", escape(member.key),
                                 near.empty() ? fmt::format(", expected {}", listed(names))
                                              : fmt::format(", did you mean `{}`?", near)));
    }
    return true;
}

bool EstReading::too_deep() {
    wrong(fmt::format("expressions may nest at most {} deep", kMaxDepth));
    error_.code = ErrorCode::kTooLarge;
    return false;
}

bool EstReading::exactly(const json::Value& value, std::span<const std::string_view> names) {
    if (!object(value, fmt::format("an object with {}", listed(names)))) return false;
    if (!known(value, names)) return false;
    for (const std::string_view name : names)
        if (!value.find(name)) return wrong(fmt::format("missing member `{}`", name));
    return true;
}

bool EstReading::type(const json::Value& value) {
    const auto name = value.as_string();
    if (!name) return expected("the name of an entity type", value);
    if (!is_normalized_name(*name))
        return expected(
            "the name of an entity type: identifiers joined by `::`, without "
            "spaces",
            value);
    out += *name;
    return true;
}

bool EstReading::uid(const json::Value& value, Of of) {
    if (!object(value, kUidWanted)) return false;
    if (const auto inner = value.size() == 1 ? value.find("__entity") : std::nullopt) {
        const Step step(*this, "__entity");
        return uid_body(*inner, of);
    }
    return uid_body(value, of);
}

bool EstReading::uid_body(const json::Value& value, Of of) {
    constexpr std::array<std::string_view, 2> kMembers = {"type", "id"};
    if (!object(value, kUidWanted) || !known(value, kMembers)) return false;
    const auto id = value.string("id");
    if (!value.find("type") || !id) return expected(kUidWanted, value);
    const std::size_t before = out.size();
    if (!part(value, "type", [this](const json::Value& name) { return type(name); })) return false;
    if (of == Of::kActions && !is_action_type(std::string_view(out).substr(before)))
        return expected("an entity of type `Action`, maybe in a namespace", value);
    out += "::" + string_literal(*id);
    return true;
}

std::string listed(std::span<const std::string_view> names) {
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i)
        out += fmt::format("{}`{}`", i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]);
    return out;
}
std::string pointer_step(std::string_view key) {
    std::string out = "/";
    for (const char c : key) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

}  // namespace writ::cedar

#include "cedar/schema_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cedar/names.h"

namespace writ::cedar {
namespace {

struct Builtin {
    std::string_view name;
    TypeId type;
};
constexpr std::array<Builtin, 7> kBuiltins = {{
    {"Long", kLongType},
    {"String", kStringType},
    {"Bool", kBoolType},
    {"decimal", kDecimalType},
    {"ipaddr", kIpType},
    {"datetime", kDatetimeType},
    {"duration", kDurationType},
}};

TypeId builtin(std::string_view name) {
    for (const Builtin& each : kBuiltins)
        if (each.name == name) return each.type;
    return kNoType;
}

}  // namespace

std::string full_name(std::string_view space, std::string_view name) {
    return space.empty() ? std::string(name) : fmt::format("{}::{}", space, name);
}

bool is_builtin_type(std::string_view name) {
    return builtin(name) != kNoType;
}

TypeId extension_type(std::string_view name) {
    const TypeId type = builtin(name);
    return type == kNoType || type < kDecimalType ? kNoType : type;
}

std::string extension_help(std::string_view wrong) {
    std::vector<std::string_view> names;
    for (const Builtin& each : kBuiltins)
        if (each.type >= kDecimalType) names.push_back(each.name);
    const std::string near = nearest(wrong, names);
    return near.empty() ? "there are `decimal`, `ipaddr`, `datetime` and `duration`"
                        : fmt::format("did you mean `{}`?", near);
}

bool SchemaNames::add_common(std::string full, std::uint32_t index) {
    return common_.emplace(std::move(full), index).second;
}

bool SchemaNames::add_entity(std::string full, std::uint32_t index) {
    return entities_.emplace(std::move(full), index).second;
}

bool SchemaNames::declares(std::string_view full) const {
    return common_.contains(full) || entities_.contains(full);
}

Meaning SchemaNames::find_exactly(std::string_view full, Wanted wanted) const {
    if (wanted != Wanted::kEntity)
        if (const auto at = common_.find(full); at != common_.end())
            return {Meaning::Kind::kCommon, at->second, kNoType};
    if (wanted != Wanted::kCommon)
        if (const auto at = entities_.find(full); at != entities_.end())
            return {Meaning::Kind::kEntity, at->second, kNoType};
    return {};
}

Meaning SchemaNames::find(std::string_view space, std::string_view name, Wanted wanted) const {
    const bool qualified = name.find("::") != std::string_view::npos;
    if (!qualified && !space.empty()) {
        const Meaning inner = find_exactly(full_name(space, name), wanted);
        if (inner.kind != Meaning::Kind::kNothing) return inner;
    }
    const Meaning outer = find_exactly(name, wanted);
    if (outer.kind != Meaning::Kind::kNothing || wanted == Wanted::kEntity) return outer;
    constexpr std::string_view kSpace = "__cedar::";
    const TypeId type = builtin(name.starts_with(kSpace) ? name.substr(kSpace.size()) : name);
    return type == kNoType ? Meaning{} : Meaning{Meaning::Kind::kBuiltin, 0, type};
}

std::string SchemaNames::unresolved(std::string_view space, std::string_view name, Wanted wanted,
                                    bool suggest) const {
    const std::string_view what = wanted == Wanted::kEntity   ? "an entity type"
                                  : wanted == Wanted::kCommon ? "a common type"
                                                              : "a common or entity type";
    std::string out = fmt::format("failed to resolve type: {}: ", name);
    if (name.find("::") == std::string_view::npos && !space.empty())
        out += fmt::format(
            "neither `{0}::{1}` nor `{1}` refers to anything that has been declared as {2}", space,
            name, what);
    else
        out += fmt::format("`{}` has not been declared as {}", name, what);
    if (!suggest) return out;
    const std::string near = nearest_name(space, name, wanted);
    if (!near.empty()) out += fmt::format(", did you mean `{}`?", near);
    return out;
}

std::string SchemaNames::nearest_name(std::string_view space, std::string_view name,
                                      Wanted wanted) const {
    if (name == "Boolean" && wanted != Wanted::kEntity) return "Bool";
    std::vector<std::string_view> names;
    if (wanted != Wanted::kCommon)
        for (const auto& [full, index] : entities_) names.push_back(full);
    if (wanted != Wanted::kEntity) {
        for (const auto& [full, index] : common_) names.push_back(full);
        for (const Builtin& each : kBuiltins) names.push_back(each.name);
    }
    const std::string suffix = fmt::format("::{}", name);  // the same in another namespace
    for (const std::string_view full : names)
        if (full.ends_with(suffix)) return std::string(full);
    const std::string near = nearest(name, names);
    return near.empty() && !space.empty() ? nearest(full_name(space, name), names) : near;
}

}  // namespace writ::cedar

#include "catalog/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/inert.h"
#include "crypto/hash.h"
#include "json/node.h"

namespace writ::catalog {

namespace {

constexpr std::size_t kMaxServerNameBytes = 31;
// The members that are pinned, and the kind each must have if it is there.
struct PinnedMember {
    std::string_view name;
    json::Kind kind;
};
constexpr std::array kPinned = {
    PinnedMember{"name", json::Kind::kString},
    PinnedMember{"title", json::Kind::kString},
    PinnedMember{"description", json::Kind::kString},
    PinnedMember{"inputSchema", json::Kind::kObject},
    PinnedMember{"outputSchema", json::Kind::kObject},
    PinnedMember{"annotations", json::Kind::kObject},
    PinnedMember{"icons", json::Kind::kArray},
    PinnedMember{"_meta", json::Kind::kObject},
};

bool is_lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

tl::unexpected<Error> invalid(std::string detail) {
    return fail(ErrorCode::kInvalid, std::move(detail));
}

Result<std::string> canonical_text(const json::Value& tool) {
    json::Node out = json::Node::object();
    for (const auto& [name, kind] : kPinned) {
        const auto member = tool.find(name);
        if (!member || member->is_null()) continue;  // some servers write null for absent
        if (member->kind() != kind) return invalid(fmt::format("`{}` has the wrong type", name));
        auto text = json::canonicalize(*member);
        if (!text) return fail(text.error().in(name));
        out[name] = json::Node::raw(std::move(*text));
    }
    return out.dump();
}

// A hint of the wrong type is heard as the one that raises.
std::optional<bool> hint(const json::Value& annotations, std::string_view name, bool careful) {
    const auto member = annotations.find(name);
    if (!member || member->is_null()) return std::nullopt;
    return member->as_bool().value_or(careful);
}

}  // namespace

bool is_tool_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxToolNameBytes &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
                      c == '-';
           });
}

bool is_server_name(std::string_view name) {
    return !name.empty() && name.size() <= kMaxServerNameBytes && name[0] != '-' &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

Result<Definition> parse_definition(const json::Value& tool) {
    if (!tool.is_object()) return invalid("it is not an object");
    Definition out;
    const auto name = tool.string("name");
    if (!name) return invalid("it has no name");
    if (!is_tool_name(*name))
        return invalid(
            fmt::format("its name is not 1 to {} of `A-Z a-z 0-9 _ . -`", kMaxToolNameBytes));
    out.name = *name;
    if (tool.raw().size() > kMaxDefinitionBytes)
        return fail(ErrorCode::kTooLarge,
                    fmt::format("its definition has over {} bytes", kMaxDefinitionBytes));
    const auto schema = tool.find("inputSchema");
    if (!schema || !schema->is_object() || schema->string("type") != "object")
        return invalid("its `inputSchema` is not an object with `type: \"object\"`");
    auto text = canonical_text(tool);
    if (!text) return fail(text.error());
    auto input = json::canonicalize(*schema);
    if (!input) return fail(input.error());
    out.text = std::move(*text);
    out.input_schema = std::move(*input);
    out.digest = crypto::sha256(out.text);
    if (const auto description = tool.string("description")) out.description = *description;
    if (const auto annotations = tool.find("annotations")) {
        out.annotations.read_only = hint(*annotations, "readOnlyHint", false);
        out.annotations.destructive = hint(*annotations, "destructiveHint", true);
    }
    return out;
}

Effect effective(std::optional<Effect> declared, const Annotations& annotations) {
    const bool destructive = annotations.destructive == true;
    if (!declared) return destructive ? Effect::kDelete : Effect::kWrite;
    if (destructive && annotations.read_only != true) return std::max(*declared, Effect::kDelete);
    return *declared;
}

}  // namespace writ::catalog

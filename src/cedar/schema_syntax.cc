#include "cedar/schema_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace writ::cedar {
namespace {

constexpr std::size_t kSchemaErrorsMax = 100;

std::string passed(std::size_t count, std::size_t max, std::string_view what) {
    if (count <= max) return {};
    return fmt::format("too large: a schema has at most {} {}", max, what);
}

}  // namespace

void SchemaErrors::add(const SchemaTree& tree, std::uint32_t at, std::string message,
                       ErrorCode code) {
    if (full()) return;
    errors_.push_back({code, std::move(message), tree.source->at(at)});
}

bool SchemaErrors::full() const {
    return errors_.size() >= kSchemaErrorsMax;
}

Error SchemaErrors::join() const {
    Error out = errors_[0];
    for (std::size_t i = 1; i < errors_.size(); ++i) out.detail += "\n" + errors_[i].message();
    return out;
}

std::string SchemaBudget::declare(std::size_t names) {
    declarations_ += names;
    return passed(declarations_, limits_.declarations_max,
                  "entity types, common types and actions together");
}

std::string SchemaBudget::ids(std::size_t count) {
    ids_ += count;
    return passed(ids_, limits_.enum_ids_max, "ids of enumerated types");
}

std::string SchemaBudget::refer(std::size_t count) {
    references_ += count;
    return passed(references_, limits_.references_max, "parents and `appliesTo` entries");
}

void sort_attributes(std::vector<AttributeDecl>& attributes) {
    std::vector<std::size_t> order(attributes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const int names = attributes[a].name.compare(attributes[b].name);
        return names != 0 ? names < 0 : a < b;
    });
    std::vector<AttributeDecl> unique;
    unique.reserve(attributes.size());
    for (const std::size_t i : order) {
        if (!unique.empty() && unique.back().name == attributes[i].name)
            unique.back() = std::move(attributes[i]);
        else
            unique.push_back(std::move(attributes[i]));
    }
    attributes = std::move(unique);
}

bool is_reserved_type(std::string_view name) {
    static constexpr std::array<std::string_view, 8> kReserved = {
        "Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String"};
    return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

}  // namespace writ::cedar

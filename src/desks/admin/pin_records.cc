#include "desks/admin/pin_records.h"

#include <fmt/format.h>

#include <map>

#include "base/bytes.h"
#include "base/inert.h"
#include "crypto/hash.h"

namespace writ::admin {

namespace {

constexpr std::size_t kMaxPins = 100'000;
constexpr const char* kPin = "pin";
constexpr const char* kDefinition = "pin_definition";

}  // namespace

std::vector<store::Change> pin_changes(const std::string& tenant,
                                       const std::vector<catalog::Pin>& pins) {
    std::vector<store::Change> out;
    for (const auto& pin : pins) {
        const std::string id = pin.server + "/" + pin.tool;
        out.push_back({{tenant, kPin, id}, digest_text(pin.digest), std::nullopt});
        out.push_back({{tenant, kDefinition, id}, pin.definition, std::nullopt});
    }
    return out;
}

Result<std::vector<catalog::Pin>> read_pins(store::Store& store, const std::string& tenant) {
    const auto digests = store.list(tenant, kPin, "", kMaxPins);
    if (!digests) return fail(digests.error());
    const auto definitions = store.list(tenant, kDefinition, "", kMaxPins);
    if (!definitions) return fail(definitions.error());
    std::map<std::string, std::string> texts;
    for (const auto& record : *definitions) texts.emplace(record.key.id, record.value);
    std::vector<catalog::Pin> out;
    for (const auto& record : *digests) {
        const auto slash = record.key.id.find('/');
        const auto digest = digest_from_text(record.value);
        if (slash == std::string::npos || !digest)
            return fail(ErrorCode::kCorrupt,
                        fmt::format("the stored pin `{}` is damaged", inert(record.key.id, 100)));
        std::string text = texts[record.key.id];
        if (!text.empty() && crypto::sha256(text) != *digest)
            return fail(ErrorCode::kCorrupt, fmt::format("the stored definition of `{}` is not the "
                                                         "pinned one",
                                                         inert(record.key.id, 100)));
        out.push_back({record.key.id.substr(0, slash), record.key.id.substr(slash + 1), *digest,
                       std::move(text)});
    }
    return out;
}

}  // namespace writ::admin

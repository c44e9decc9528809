// A leaf read back: the envelope that every event has, and its data. Only what trails and checks
// need; docs/spec/evidence/event.schema.json is the whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "json/value.h"

namespace writ::evidence {

struct LeafCause {
    std::string_view rel, id, basis;
};

// Views into the bytes it was read from and into its own document; movable.
struct Leaf {
    std::unique_ptr<json::Document> document;  // at a fixed place: values point into it
    std::string_view id, type, tenant, session, task, call;
    std::int64_t t_us = 0, attempt = 0;
    std::string_view emitter, boot, chain;
    std::uint64_t seq = 0, chain_seq = 0;
    std::optional<Sha256> prev;
    std::vector<LeafCause> causes;
    std::optional<json::Value> data;

    // A text of data, empty if it is not there; an integer, 0 if not there.
    std::string_view text(std::string_view member) const;
    std::int64_t number(std::string_view member) const;
};

// `bytes` must outlive the Leaf. Errors: kInvalid saying what is missing or malformed.
Result<Leaf> read_leaf(std::string_view bytes);
// Whether `bytes` are exactly the restricted canonical form of `leaf`.
Status check_canonical(const Leaf& leaf, std::string_view bytes);
// A quick word on valid JSON: true only if it is that form; false may also mean `ask the above`.
bool scans_canonical(std::string_view bytes);
// Whether the schema knows the type.
bool known_type(std::string_view type);
// Every type the schema knows, sorted.
std::span<const std::string_view> known_types();
// A number of the type that never changes (FNV-1a, 32 bits).
std::int64_t type_number(std::string_view type);

}  // namespace writ::evidence

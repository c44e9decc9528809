// The JSON parser against simdjson, and its output against itself:
// - what is accepted, simdjson accepts, but for numbers too wide for it; what is refused, simdjson
// refuses, but for the
//   refusals that are our own (duplicate members, depth, byte order mark);
// - every value's raw range parses alone to the same value;
// - the canonical form is a fixed point, and so is the form Node writes.
#include <simdjson.h>

#include <cstdint>
#include <string>

#include "base/check.h"
#include "json/node.h"

namespace {

using writ::json::Document;
using writ::json::Member;
using writ::json::Node;
using writ::json::Value;

struct Walk {
    bool wide_number = false;  // an integer beyond 64 bits or a number beyond a double
    bool infinite = false;     // a number beyond a double
};

void visit(const Value& value, Walk& walk) {
    writ::Result<Document> alone = writ::json::parse(value.raw());
    WRIT_CHECK(alone.has_value());
    WRIT_CHECK(alone->root().kind() == value.kind() && alone->root().size() == value.size());
    WRIT_CHECK(alone->root().as_string() == value.as_string());
    if (value.is_number()) {
        bool integer = value.raw().find_first_of(".eE") == std::string_view::npos;
        walk.wide_number |= !value.as_double() || (integer && value.raw().size() > 18);
        walk.infinite |= !value.as_double();
    }
    std::size_t children = 0;
    for (const Value& element : value.elements()) {
        visit(element, walk);
        ++children;
    }
    for (const Member& member : value.members()) {
        WRIT_CHECK(value.find(member.key)->raw().data() == member.value.raw().data());
        visit(member.value, walk);
        ++children;
    }
    WRIT_CHECK(children == value.size());
}

bool refused_by_us_alone(const writ::Error& error) {
    return error.code == writ::ErrorCode::kTooLarge ||
           error.detail.starts_with("duplicate member") ||
           error.detail.starts_with("byte order mark");
}

void check_forms(const Value& root, const Walk& walk) {
    std::string dumped = Node::from(root).dump();
    writ::Result<Document> again = writ::json::parse(dumped);
    WRIT_CHECK(again.has_value());
    WRIT_CHECK(Node::from(again->root()).dump() == dumped);

    writ::Result<std::string> once = writ::json::canonicalize(root);
    WRIT_CHECK(once.has_value() == !walk.infinite);
    if (!once) return;
    writ::Result<Document> canonical = writ::json::parse(*once);
    WRIT_CHECK(canonical.has_value());
    WRIT_CHECK(writ::json::canonicalize(canonical->root()) == *once);
    WRIT_CHECK(writ::json::canonicalize(again->root()) == *once);
}

// A value as a Document of its own reads as its text does.
void check_parts(const Value& root) {
    std::size_t left = 64;
    for (const Member& member : root.members()) {
        if (left-- == 0) return;
        const std::string text(member.value.raw());
        const auto part = Document::of(member.value, text);
        const auto read = writ::json::parse(text);
        WRIT_CHECK(part.has_value() && read.has_value());
        WRIT_CHECK(part->root().raw().data() == text.data() && part->root().raw() == text);
        WRIT_CHECK(Node::from(part->root()).dump() == Node::from(read->root()).dump());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static simdjson::dom::parser other;
    if (size > 64 << 10) return 0;
    std::string text(reinterpret_cast<const char*>(data), size);
    bool other_accepts = other.parse(text).error() == simdjson::SUCCESS;
    writ::Result<Document> doc = writ::json::parse(text);
    if (!doc) {
        WRIT_CHECK(!other_accepts || refused_by_us_alone(doc.error()));
        return 0;
    }
    Walk walk;
    visit(doc->root(), walk);
    WRIT_CHECK(other_accepts || walk.wide_number);
    check_forms(doc->root(), walk);
    check_parts(doc->root());
    return 0;
}

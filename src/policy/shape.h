// What the arguments of a tool look like to policies: its JSON Schema, read once, as the Cedar type
// of `context.input`. The rules are docs/spec/policy-names.md; in short, a shape says for every
// kind of JSON value (null, boolean, number, string, array, object) whether the schema allows it
// and as what Cedar sees it.
//
// A union (anyOf, oneOf, a list of types) joins shapes kind by kind, allOf meets them. What the
// schema leaves open, what refers to itself and what is too large to be worth a type is `any`.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"

namespace writ::policy {

// Bounds of one tool's type. What lies beyond is `any`, so a hostile schema costs no more.
inline constexpr std::size_t kMaxShapeDepth = 12;
inline constexpr std::size_t kMaxShapeNodes = 1'000;
// Words of one `enum` that are kept to check literals against.
inline constexpr std::size_t kMaxShapeWords = 256;

struct Shape;
using ShapePtr = std::shared_ptr<const Shape>;

struct ShapeMember {
    ShapePtr shape;
    bool required = false;
    bool operator==(const ShapeMember& other) const;
};

struct ArrayShape {
    ShapePtr element;             // Set<element>; null in a tuple
    std::vector<ShapeMember> at;  // a closed tuple: record {_0, _1, …}
    bool operator==(const ArrayShape& other) const;
};

struct ObjectShape {
    std::map<std::string, ShapeMember, std::less<>> members;
    bool open = true;  // other members may be there: they are told in `"*"`
    ShapePtr extra;    // of which shape those are; null: any
    bool operator==(const ObjectShape& other) const;
};

struct Shape {
    enum class Number { kNone, kLong, kDecimal };
    enum class Text { kNone, kString, kDatetime, kDuration, kIp };

    bool any = false;  // everything; no other field counts
    bool null = false;
    bool boolean = false;
    Number number = Number::kNone;
    Text text = Text::kNone;
    std::vector<std::string> words;  // all the strings allowed, sorted, if the schema lists them
    std::shared_ptr<const ArrayShape> array;
    std::shared_ptr<const ObjectShape> object;

    static ShapePtr of_any();
    // Kinds allowed, null not counted.
    std::size_t kinds() const;
    bool operator==(const Shape& other) const;
};

// One tool's arguments.
struct InputShape {
    ShapePtr root;                     // an object
    std::vector<std::string> widened;  // JSON pointers of what became `any` for its size, a cycle
                                       // or a reference that leads nowhere
};

// Reads a tool's `inputSchema`. Never fails: what cannot be understood is `any`. Cost: linear in
// the schema, bounded by kMaxShapeNodes.
InputShape read_shape(const json::Value& input_schema);
// The same from text; text that is no JSON gives an open object.
InputShape read_shape(std::string_view input_schema);

ShapePtr join(const ShapePtr& a, const ShapePtr& b);  // a value of either
ShapePtr meet(const ShapePtr& a, const ShapePtr& b);  // a value of both

}  // namespace writ::policy

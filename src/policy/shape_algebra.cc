// Join and meet of shapes, kind by kind.
#include <algorithm>
#include <iterator>

#include "policy/shape.h"

namespace writ::policy {
namespace {

using ArrayPtr = std::shared_ptr<const ArrayShape>;
using ObjectPtr = std::shared_ptr<const ObjectShape>;

bool same(const ShapePtr& a, const ShapePtr& b) {
    return a == b || (a && b && *a == *b);
}

template <class T>
bool same_part(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
    return a == b || (a && b && *a == *b);
}

// A tuple seen as an array of whatever stands at any place.
ShapePtr element_of(const ArrayShape& array) {
    if (array.element) return array.element;
    ShapePtr out;
    for (const auto& member : array.at) out = out ? join(out, member.shape) : member.shape;
    return out ? out : Shape::of_any();
}

ArrayPtr join_arrays(const ArrayPtr& a, const ArrayPtr& b) {
    if (!a || !b || same_part(a, b)) return a ? a : b;
    return std::make_shared<ArrayShape>(ArrayShape{join(element_of(*a), element_of(*b)), {}});
}

ArrayPtr meet_arrays(const ArrayPtr& a, const ArrayPtr& b) {
    if (!a || !b) return nullptr;
    if (same_part(a, b)) return a;
    if (!a->element && !b->element) {
        if (a->at.size() != b->at.size()) return nullptr;
        auto out = std::make_shared<ArrayShape>();
        for (std::size_t i = 0; i < a->at.size(); ++i)
            out->at.push_back(
                {meet(a->at[i].shape, b->at[i].shape), a->at[i].required || b->at[i].required});
        return out;
    }
    const ArrayShape& tuple = a->element ? *b : *a;
    const ArrayShape& list = a->element ? *a : *b;
    if (tuple.element)
        return std::make_shared<ArrayShape>(ArrayShape{meet(a->element, b->element), {}});
    auto out = std::make_shared<ArrayShape>(tuple);
    for (auto& member : out->at) member.shape = meet(member.shape, list.element);
    return out;
}

ObjectPtr join_objects(const ObjectPtr& a, const ObjectPtr& b) {
    if (!a || !b || same_part(a, b)) return a ? a : b;
    auto out = std::make_shared<ObjectShape>(*a);
    for (auto& [name, member] : out->members) {
        const auto other = b->members.find(name);
        if (other == b->members.end()) {
            member.required = false;
        } else {
            member.shape = join(member.shape, other->second.shape);
            member.required = member.required && other->second.required;
        }
    }
    for (const auto& [name, member] : b->members)
        if (!a->members.contains(name)) out->members[name] = {member.shape, false};
    out->open = a->open || b->open;
    const bool both = a->open && b->open;
    if (both)
        out->extra = a->extra && b->extra ? join(a->extra, b->extra) : nullptr;
    else
        out->extra = a->open ? a->extra : b->extra;
    return out;
}

ObjectPtr meet_objects(const ObjectPtr& a, const ObjectPtr& b) {
    if (!a || !b) return nullptr;
    if (same_part(a, b)) return a;
    auto out = std::make_shared<ObjectShape>(*a);
    for (const auto& [name, member] : b->members) {
        const auto found = out->members.find(name);
        if (found == out->members.end()) {
            out->members[name] = member;
        } else {
            found->second.shape = meet(found->second.shape, member.shape);
            found->second.required = found->second.required || member.required;
        }
    }
    out->open = a->open && b->open;
    out->extra = a->extra && b->extra ? meet(a->extra, b->extra) : (a->extra ? a->extra : b->extra);
    return out;
}

std::vector<std::string> sorted_union(const std::vector<std::string>& a,
                                      const std::vector<std::string>& b) {
    std::vector<std::string> out;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    if (out.size() > kMaxShapeWords) out.clear();
    return out;
}

}  // namespace

bool ShapeMember::operator==(const ShapeMember& other) const {
    return required == other.required && same(shape, other.shape);
}
bool ArrayShape::operator==(const ArrayShape& other) const {
    return same(element, other.element) && at == other.at;
}
bool ObjectShape::operator==(const ObjectShape& other) const {
    return open == other.open && members == other.members && same(extra, other.extra);
}
bool Shape::operator==(const Shape& other) const {
    if (any || other.any) return any == other.any;
    return null == other.null && boolean == other.boolean && number == other.number &&
           text == other.text && words == other.words && same_part(array, other.array) &&
           same_part(object, other.object);
}

ShapePtr Shape::of_any() {
    static const ShapePtr shape = [] {
        auto out = std::make_shared<Shape>();
        out->any = true;
        return out;
    }();
    return shape;
}

std::size_t Shape::kinds() const {
    return (boolean ? 1u : 0u) + (number != Number::kNone ? 1u : 0u) +
           (text != Text::kNone ? 1u : 0u) + (array ? 1u : 0u) + (object ? 1u : 0u);
}

ShapePtr join(const ShapePtr& a, const ShapePtr& b) {
    if (a->any || b->any) return Shape::of_any();
    if (same(a, b)) return a;
    auto out = std::make_shared<Shape>(*a);
    out->null = a->null || b->null;
    out->boolean = a->boolean || b->boolean;
    out->number = std::max(a->number, b->number);
    if (a->text == Shape::Text::kNone) {
        out->text = b->text;
        out->words = b->words;
    } else if (b->text != Shape::Text::kNone) {
        if (a->text != b->text) out->text = Shape::Text::kString;
        out->words = a->words.empty() || b->words.empty() ? std::vector<std::string>{}
                                                          : sorted_union(a->words, b->words);
    }
    out->array = join_arrays(a->array, b->array);
    out->object = join_objects(a->object, b->object);
    return out;
}

ShapePtr meet(const ShapePtr& a, const ShapePtr& b) {
    if (a->any) return b;
    if (b->any || same(a, b)) return a;
    auto out = std::make_shared<Shape>();
    out->null = a->null && b->null;
    out->boolean = a->boolean && b->boolean;
    if (a->number != Shape::Number::kNone && b->number != Shape::Number::kNone)
        out->number = std::min(a->number, b->number);
    if (a->text != Shape::Text::kNone && b->text != Shape::Text::kNone) {
        out->text = a->text == Shape::Text::kString ? b->text : a->text;
        if (a->words.empty() || b->words.empty())
            out->words = a->words.empty() ? b->words : a->words;
        else
            std::set_intersection(a->words.begin(), a->words.end(), b->words.begin(),
                                  b->words.end(), std::back_inserter(out->words));
    }
    out->array = meet_arrays(a->array, b->array);
    out->object = meet_objects(a->object, b->object);
    return out;
}

}  // namespace writ::policy

// From JSON Schema (2020-12, and what older drafts write for the same) to a shape.
#include "policy/shape.h"

#include <algorithm>
#include <set>

#include "base/limits.h"

namespace writ::policy {
namespace {

using Text = Shape::Text;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// One token of a JSON pointer in a URI fragment (RFC 6901, sections 3, 4 and 6).
std::string pointer_token(std::string_view raw) {
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i];
        if (c == '%' && i + 2 < raw.size() && hex(raw[i + 1]) >= 0 && hex(raw[i + 2]) >= 0) {
            c = static_cast<char>(hex(raw[i + 1]) * 16 + hex(raw[i + 2]));
            i += 2;
        }
        if (c == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1'))
            c = raw[++i] == '0' ? '~' : '/';
        out += c;
    }
    return out;
}

std::string pointer_escape(std::string_view name) {
    std::string out;
    for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return out;
}

class Reader {
  public:
    Reader(const json::Value& root, std::vector<std::string>& widened)
        : root_(root), widened_(widened) {}

    ShapePtr read(const json::Value& schema, const std::string& at, std::size_t depth);

  private:
    ShapePtr reference(std::string_view ref, const std::string& at, std::size_t depth);
    ShapePtr by_type(const json::Value& schema, const std::string& at, std::size_t depth);
    ShapePtr of_kind(std::string_view type, const json::Value& schema, const std::string& at,
                     std::size_t depth);
    std::shared_ptr<const ArrayShape> array(const json::Value& schema, const std::string& at,
                                            std::size_t depth);
    std::shared_ptr<const ObjectShape> object(const json::Value& schema, const std::string& at,
                                              std::size_t depth);
    ShapePtr one_of(const json::Value& list, const std::string& at, std::size_t depth);
    std::optional<json::Value> target(std::string_view ref) const;

    ShapePtr widen(const std::string& at) {
        if (widened_.size() < 32) widened_.push_back(at);
        return Shape::of_any();
    }

    const json::Value root_;
    std::vector<std::string>& widened_;
    std::set<std::string, std::less<>> following_;  // references being read: one again is a cycle
    std::size_t nodes_ = 0;
};

Text text_of(const json::Value& schema) {
    const auto format = schema.string("format").value_or("");
    if (format == "date-time" || format == "date") return Text::kDatetime;
    if (format == "duration") return Text::kDuration;
    if (format == "ipv4" || format == "ipv6") return Text::kIp;
    return Text::kString;
}

// The shape of one value of `enum` or `const`.
ShapePtr of_value(const json::Value& value) {
    auto out = std::make_shared<Shape>();
    switch (value.kind()) {
        case json::Kind::kNull:
            out->null = true;
            break;
        case json::Kind::kBool:
            out->boolean = true;
            break;
        case json::Kind::kNumber:
            out->number = value.as_i64() ? Shape::Number::kLong : Shape::Number::kDecimal;
            break;
        case json::Kind::kString:
            out->text = Text::kString;
            out->words = {std::string(*value.as_string())};
            break;
        case json::Kind::kArray:
            out->array = std::make_shared<ArrayShape>(ArrayShape{Shape::of_any(), {}});
            break;
        case json::Kind::kObject:
            out->object = std::make_shared<ObjectShape>();
            break;
    }
    return out;
}

ShapePtr of_values(const std::vector<json::Value>& values) {
    ShapePtr out = std::make_shared<Shape>();
    bool too_many = false;
    for (const json::Value& value : values) {
        // Beyond the bound the list of words is gone, and must not begin anew.
        auto one = of_value(value);
        if (too_many && one->text != Text::kNone) continue;
        const bool had_words = !out->words.empty();
        out = join(out, one);
        if (had_words && out->words.empty()) too_many = true;
    }
    return out;
}

// Which type a schema without `type` speaks of, by its keywords; empty: any.
std::string_view implied_type(const json::Value& schema) {
    constexpr std::pair<std::string_view, std::string_view> keywords[] = {
        {"properties", "object"},
        {"additionalProperties", "object"},
        {"required", "object"},
        {"patternProperties", "object"},
        {"items", "array"},
        {"prefixItems", "array"},
        {"minLength", "string"},
        {"maxLength", "string"},
        {"pattern", "string"},
        {"format", "string"},
        {"minimum", "number"},
        {"maximum", "number"},
        {"exclusiveMinimum", "number"}};
    for (const auto& [keyword, type] : keywords)
        if (schema.find(keyword)) return type;
    return "";
}

std::optional<json::Value> Reader::target(std::string_view ref) const {
    if (!ref.starts_with('#')) return std::nullopt;
    ref.remove_prefix(1);
    json::Value at = root_;
    while (!ref.empty()) {
        if (ref.front() != '/') return std::nullopt;  // an $anchor
        ref.remove_prefix(1);
        const auto slash = ref.find('/');
        const std::string token = pointer_token(ref.substr(0, slash));
        ref.remove_prefix(slash == std::string_view::npos ? ref.size() : slash);
        if (at.is_object()) {
            const auto next = at.find(token);
            if (!next) return std::nullopt;
            at = *next;
        } else if (at.is_array()) {
            const auto elements = at.elements();
            std::size_t index = 0;
            for (const char c : token) {
                if (c < '0' || c > '9' || index >= elements.size()) return std::nullopt;
                index = index * 10 + static_cast<std::size_t>(c - '0');
            }
            if (token.empty() || index >= elements.size()) return std::nullopt;
            at = elements[index];
        } else {
            return std::nullopt;
        }
    }
    return at;
}

ShapePtr Reader::reference(std::string_view ref, const std::string& at, std::size_t depth) {
    if (following_.contains(ref)) return widen(at);
    const auto found = target(ref);
    if (!found) return widen(at);
    const auto inserted = following_.emplace(ref).first;
    ShapePtr out = read(*found, at, depth + 1);
    following_.erase(inserted);
    return out;
}

std::shared_ptr<const ArrayShape> Reader::array(const json::Value& schema, const std::string& at,
                                                std::size_t depth) {
    auto out = std::make_shared<ArrayShape>();
    auto prefix = schema.find("prefixItems");
    auto rest = schema.find("items");
    if (!prefix && rest && rest->is_array()) {  // before 2020-12
        prefix = rest;
        rest = schema.find("additionalItems");
    }
    if (!prefix || !prefix->is_array()) {
        out->element = rest ? read(*rest, at + "/items", depth + 1) : Shape::of_any();
        return out;
    }
    const auto places = prefix->elements();
    const bool closed =
        (rest && rest->as_bool() == false) ||
        schema.i64("maxItems").value_or(INT64_MAX) <= static_cast<std::int64_t>(places.size());
    ShapePtr all;
    for (std::size_t i = 0; i < places.size(); ++i) {
        ShapePtr one = read(places[i], at + "/prefixItems/" + std::to_string(i), depth + 1);
        all = all ? join(all, one) : one;
        out->at.push_back(
            {std::move(one), schema.i64("minItems").value_or(0) > static_cast<std::int64_t>(i)});
    }
    if (closed && !out->at.empty()) return out;
    const ShapePtr others = rest ? read(*rest, at + "/items", depth + 1) : Shape::of_any();
    out->at.clear();
    out->element = all ? join(all, others) : others;
    return out;
}

std::shared_ptr<const ObjectShape> Reader::object(const json::Value& schema, const std::string& at,
                                                  std::size_t depth) {
    auto out = std::make_shared<ObjectShape>();
    if (const auto properties = schema.find("properties"); properties && properties->is_object())
        for (const json::Member& member : properties->members()) {
            const std::string name(member.key);
            out->members[name].shape =
                read(member.value, at + "/properties/" + pointer_escape(name), depth + 1);
        }
    if (const auto required = schema.find("required"); required && required->is_array())
        for (const json::Value& name : required->elements())
            if (const auto text = name.as_string()) {
                ShapeMember& member = out->members[std::string(*text)];
                if (!member.shape) member.shape = Shape::of_any();
                member.required = true;
            }
    const bool patterns = schema.find("patternProperties").has_value();
    const auto extra = schema.find("additionalProperties");
    if (extra && extra->as_bool() == false) out->open = patterns;
    if (extra && extra->is_object() && !patterns) {
        ShapePtr shape = read(*extra, at + "/additionalProperties", depth + 1);
        if (!shape->any) out->extra = std::move(shape);
    }
    if (schema.boolean("unevaluatedProperties") == false && !patterns && !extra) out->open = false;
    return out;
}

ShapePtr Reader::of_kind(std::string_view type, const json::Value& schema, const std::string& at,
                         std::size_t depth) {
    auto out = std::make_shared<Shape>();
    if (type == "null") out->null = true;
    if (type == "boolean") out->boolean = true;
    if (type == "integer") out->number = Shape::Number::kLong;
    if (type == "number") out->number = Shape::Number::kDecimal;
    if (type == "string") out->text = text_of(schema);
    if (type == "array") out->array = array(schema, at, depth);
    if (type == "object") out->object = object(schema, at, depth);
    return out;
}

ShapePtr Reader::by_type(const json::Value& schema, const std::string& at, std::size_t depth) {
    const auto type = schema.find("type");
    if (type && type->is_array()) {
        ShapePtr out = std::make_shared<Shape>();
        for (const json::Value& one : type->elements())
            if (const auto name = one.as_string())
                out = join(out, of_kind(*name, schema, at, depth));
        return out;
    }
    const auto name = type ? type->as_string().value_or("") : implied_type(schema);
    return name.empty() ? Shape::of_any() : of_kind(name, schema, at, depth);
}

ShapePtr Reader::one_of(const json::Value& list, const std::string& at, std::size_t depth) {
    ShapePtr out = std::make_shared<Shape>();
    std::size_t i = 0;
    for (const json::Value& one : list.elements())
        out = join(out, read(one, at + "/" + std::to_string(i++), depth + 1));
    return out;
}

ShapePtr Reader::read(const json::Value& schema, const std::string& at, std::size_t depth) {
    if (schema.as_bool() == false) return std::make_shared<Shape>();
    if (!schema.is_object()) return Shape::of_any();
    if (depth > kMaxShapeDepth || ++nodes_ > kMaxShapeNodes) return widen(at);
    ShapePtr out = by_type(schema, at, depth);
    if (const auto ref = schema.string("$ref")) out = meet(out, reference(*ref, at, depth));
    if (schema.find("$dynamicRef")) out = meet(out, widen(at));
    if (const auto values = schema.find("enum"); values && values->is_array())
        out = meet(out, of_values(values->elements()));
    if (const auto value = schema.find("const")) out = meet(out, of_value(*value));
    for (const char* keyword : {"anyOf", "oneOf"})
        if (const auto list = schema.find(keyword); list && list->is_array() && list->size() > 0)
            out = meet(out, one_of(*list, at + "/" + keyword, depth));
    if (const auto list = schema.find("allOf"); list && list->is_array()) {
        std::size_t i = 0;
        for (const json::Value& one : list->elements())
            out = meet(out, read(one, at + "/allOf/" + std::to_string(i++), depth + 1));
    }
    // OpenAPI's way to say that null will do.
    if (schema.boolean("nullable") == true && !out->any && !out->null) {
        auto wider = std::make_shared<Shape>(*out);
        wider->null = true;
        out = std::move(wider);
    }
    return out;
}

}  // namespace

InputShape read_shape(const json::Value& input_schema) {
    InputShape out;
    ShapePtr shape = Reader(input_schema, out.widened).read(input_schema, "", 0);
    // Arguments are an object, whatever else the schema would take.
    auto root = std::make_shared<Shape>();
    root->object = shape->object ? shape->object : std::make_shared<const ObjectShape>();
    out.root = std::move(root);
    return out;
}

InputShape read_shape(std::string_view input_schema) {
    const auto parsed = json::parse(input_schema);
    if (parsed) return read_shape(parsed->root());
    auto root = std::make_shared<Shape>();
    root->object = std::make_shared<const ObjectShape>();
    return {std::move(root), {""}};
}

}  // namespace writ::policy

#include "json/node.h"

#include <algorithm>

#include "base/check.h"
#include "json/canonical.h"
#include "json/utf8.h"

namespace writ::json {

namespace {

constexpr int kCompact = -1;  // indentation level of text without white space

using Entry = Node::Object::value_type;

// The members in RFC 8785 order. The map has the order of UTF-8, which differs only where
// supplementary characters occur.
std::vector<const Entry*> in_canonical_order(const Node::Object& object) {
    std::vector<const Entry*> out;
    out.reserve(object.size());
    for (const Entry& entry : object) out.push_back(&entry);
    std::sort(out.begin(), out.end(),
              [](const Entry* a, const Entry* b) { return utf16_less(a->first, b->first); });
    return out;
}

void new_line(std::string& out, int level) {
    if (level == kCompact) return;
    out += '\n';
    out.append(static_cast<std::size_t>(level) * 2, ' ');
}

}  // namespace

// Not in the header: the variant's making and ending would be compiled in every file that has one.
Node::Node() = default;
Node::Node(bool v) : v_(v) {}
Node::Node(Integer v) : v_(v.value) {}
Node::Node(double v) : v_(v) {}
Node::Node(std::string v) : v_(std::move(v)) {}
Node::Node(Array v) : v_(std::move(v)) {}
Node::Node(Object v) : v_(std::move(v)) {}
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Node Node::array() {
    return Array{};
}
Node Node::object() {
    return Object{};
}

Node Node::array_of(const std::vector<std::string>& texts) {
    Node out = array();
    for (const std::string& text : texts) out.push_back(text);
    return out;
}

Node Node::raw(std::string text) {
    Node node;
    node.v_ = Raw{std::move(text)};
    return node;
}

Node Node::from(const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return {};
        case Kind::kBool:
            return Node(*value.as_bool());
        case Kind::kString:
            return Node(*value.as_string());
        case Kind::kNumber: {
            std::optional<std::int64_t> number = value.as_i64();
            if (number && value.raw() != "-0") return Node(*number);
            return raw(std::string(value.raw()));
        }
        case Kind::kArray: {
            Array out;
            out.reserve(value.size());
            for (const Value& element : value.elements()) out.push_back(from(element));
            return Node(std::move(out));
        }
        case Kind::kObject: {
            Object out;
            for (const Member& member : value.members()) {
                out.emplace(std::string(member.key), from(member.value));
            }
            return Node(std::move(out));
        }
    }
    return {};
}

Node& Node::operator[](std::string_view key) {
    if (is_null()) v_ = Object{};
    auto* object = std::get_if<Object>(&v_);
    WRIT_CHECK(object != nullptr);
    auto found = object->find(key);
    if (found == object->end()) found = object->emplace(std::string(key), Node()).first;
    return found->second;
}

void Node::push_back(Node value) {
    if (is_null()) v_ = Array{};
    auto* array = std::get_if<Array>(&v_);
    WRIT_CHECK(array != nullptr);
    array->push_back(std::move(value));
}

void Node::write(std::string& out, int level) const {
    if (const Array* array = if_array()) {
        write_array(out, *array, level);
    } else if (const Object* object = if_object()) {
        write_object(out, *object, level);
    } else if (const std::string* text = if_string()) {
        append_string(out, *text);
    } else if (const std::int64_t* number = if_i64()) {
        out += std::to_string(*number);
    } else if (const double* real = std::get_if<double>(&v_)) {
        append_number(out, *real);
    } else if (const bool* flag = std::get_if<bool>(&v_)) {
        out += *flag ? "true" : "false";
    } else if (const Raw* raw = std::get_if<Raw>(&v_)) {
        out += raw->text;
    } else {
        out += "null";
    }
}

void Node::write_array(std::string& out, const Array& array, int level) {
    int inner = level == kCompact ? kCompact : level + 1;
    out += '[';
    for (std::size_t i = 0; i < array.size(); ++i) {
        if (i != 0) out += ',';
        new_line(out, inner);
        array[i].write(out, inner);
    }
    if (!array.empty()) new_line(out, level);
    out += ']';
}

void Node::write_object(std::string& out, const Object& object, int level) {
    int inner = level == kCompact ? kCompact : level + 1;
    out += '{';
    bool first = true;
    for (const Entry* entry : in_canonical_order(object)) {
        if (!first) out += ',';
        first = false;
        new_line(out, inner);
        append_string(out, entry->first);
        out += level == kCompact ? ":" : ": ";
        entry->second.write(out, inner);
    }
    if (!object.empty()) new_line(out, level);
    out += '}';
}

std::string Node::dump() const {
    std::string out;
    write(out, kCompact);
    return out;
}

std::string Node::pretty() const {
    std::string out;
    write(out, 0);
    return out;
}

}  // namespace writ::json

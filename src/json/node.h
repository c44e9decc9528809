// A JSON value that can be built and changed: for the API, the CLI and everything else that is not
// the hot path. dump() writes it in canonical form (RFC 8785 restricted to integers: no floating
// point except through number()).
//
//   json::Node n = json::Node::object();
//   n["task"] = id.text();
//   n["calls"] = 3;
//   n["tools"].push_back("a");           // null becomes an array
//   std::string text = n.dump();         // {"calls":3,"task":"…","tools":["a"]}
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "json/value.h"

namespace writ::json {

class Node {
  public:
    using Array = std::vector<Node>;
    using Object =
        std::map<std::string, Node, std::less<>>;  // dump() puts members in RFC 8785 order

    Node();  // null
    Node(std::nullptr_t) : Node() {}
    Node(bool v);
    template <std::integral T>
        requires(!std::same_as<T, bool>)
    Node(T v) : Node(Integer{static_cast<std::int64_t>(v)}) {}
    Node(double v);
    Node(const char* v) : Node(std::string(v)) {}
    Node(std::string_view v) : Node(std::string(v)) {}
    Node(std::string v);
    Node(Array v);
    Node(Object v);
    Node(const Node&);
    Node(Node&&) noexcept;
    Node& operator=(const Node&);
    Node& operator=(Node&&) noexcept;
    ~Node();

    static Node array();
    static Node object();
    // Embeds already serialised JSON `text` as it is; the caller answers for its validity.
    static Node raw(std::string text);
    // An array of strings.
    static Node array_of(const std::vector<std::string>& texts);
    // A deep copy of a parsed value; number lexemes are kept.
    static Node from(const Value& value);

    bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
    bool is_array() const { return std::holds_alternative<Array>(v_); }
    bool is_object() const { return std::holds_alternative<Object>(v_); }
    // The member, made (and this node made an object) if it is not there. A non-object that is not
    // null is a broken invariant.
    Node& operator[](std::string_view key);
    void push_back(Node value);
    const Object* if_object() const { return std::get_if<Object>(&v_); }
    const Array* if_array() const { return std::get_if<Array>(&v_); }
    const std::string* if_string() const { return std::get_if<std::string>(&v_); }
    const bool* if_bool() const { return std::get_if<bool>(&v_); }
    const std::int64_t* if_i64() const { return std::get_if<std::int64_t>(&v_); }

    // Canonical text: no white space, members sorted by UTF-16 code units, shortest escapes (RFC
    // 8785 section 3).
    std::string dump() const;
    // The same with two-space indentation, for people.
    std::string pretty() const;

  private:
    struct Raw {
        std::string text;
    };
    struct Integer {
        std::int64_t value;
    };
    explicit Node(Integer v);
    void write(std::string& out, int level) const;
    static void write_array(std::string& out, const Array& array, int level);
    static void write_object(std::string& out, const Object& object, int level);
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object, Raw> v_;
};

// Appends `text` as a JSON string with the shortest escapes (RFC 8785 section 3.2.2.2). Invalid
// UTF-8 becomes U+FFFD.
void append_string(std::string& out, std::string_view text);

// The RFC 8785 form of a parsed value, numbers serialised as ECMAScript does. Errors: kInvalid for
// a number that is not a finite double.
Result<std::string> canonicalize(const Value& value);

}  // namespace writ::json

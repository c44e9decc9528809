// Writes canonical JSON (RFC 8785 restricted to integers) straight into a string: for the hot path,
// where a tree of Nodes would cost more than the text. It keeps no state but the comma: the caller
// opens and closes what belongs together and gives the members of an object in the order of their
// names.
//
//   std::string out;
//   json::Writer(out).open('{').member("code", code).key("n").number(3).close('}');
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "json/node.h"

namespace writ::json {

// What every reader of JSON holds exactly (RFC 8259 section 6): 2^53 - 1.
inline constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    Writer& open(char bracket) {
        out_ += bracket;
        first_ = true;
        return *this;
    }
    Writer& close(char bracket) {
        out_ += bracket;
        first_ = false;
        return *this;
    }
    // Before every element of an array.
    Writer& comma() {
        if (!first_) out_ += ',';
        first_ = false;
        return *this;
    }
    // A name that may need escapes.
    Writer& key(std::string_view name) {
        comma();
        append_string(out_, name);
        out_ += ':';
        return *this;
    }
    // A literal, which needs none.
    template <std::size_t N>
    Writer& key(const char (&name)[N]) {
        comma();
        out_.append("\"").append(name, N - 1).append("\":");
        return *this;
    }
    Writer& text(std::string_view value) {
        append_string(out_, value);
        return *this;
    }
    // A number that the restricted form cannot hold is written as text.
    Writer& number(std::int64_t value) {
        const bool fits = value >= -kMaxSafeInteger && value <= kMaxSafeInteger;
        std::array<char, 24> digits;
        const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
        if (!fits) out_ += '"';
        out_.append(digits.begin(), end);
        if (!fits) out_ += '"';
        return *this;
    }
    Writer& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
    Writer& boolean(bool value) { return verbatim(value ? "true" : "false"); }
    template <std::size_t N>
    Writer& member(const char (&name)[N], std::string_view value) {
        return key(name).text(value);
    }
    // Already serialised.
    Writer& verbatim(std::string_view json) {
        out_ += json;
        return *this;
    }

  private:
    std::string& out_;
    bool first_ = true;
};

}  // namespace writ::json

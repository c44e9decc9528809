// Writes canonical JSON (RFC 8785 restricted to integers) straight into text: for the hot path,
// where a tree of Nodes would cost more than the text. It keeps no state but the comma: the caller
// opens and closes what belongs together and gives the members of an object in the order of their
// names.
//
//   std::string text =
//       json::Writer(64).open('{').member("code", code).key("n").number(3).close('}').take();
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"

namespace writ::json {

// What every reader of JSON holds exactly (RFC 8259 section 6): 2^53 - 1.
inline constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

class Writer {
  public:
    // `room`: bytes that are enough for the usual text; it grows beyond them.
    explicit Writer(std::size_t room) : text_(room, '\0') { place(0); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // What was written; the Writer is at its end.
    std::string take();

    Writer& open(char bracket) {
        need(1);
        *at_++ = bracket;
        first_ = true;
        return *this;
    }
    Writer& close(char bracket) {
        need(1);
        *at_++ = bracket;
        first_ = false;
        return *this;
    }
    // Before every element of an array.
    Writer& comma() {
        need(1);
        put_comma();
        return *this;
    }
    // A name that may need escapes.
    Writer& key(std::string_view name) {
        comma().text(name);
        need(1);
        *at_++ = ':';
        return *this;
    }
    // A literal, which needs none.
    template <std::size_t N>
    Writer& key(const char (&name)[N]) {
        need(N + 3);
        put_comma();
        *at_++ = '"';
        std::memcpy(at_, name, N - 1);
        at_ += N - 1;
        *at_++ = '"';
        *at_++ = ':';
        return *this;
    }
    Writer& text(std::string_view value);
    // A number that the restricted form cannot hold is written as text.
    Writer& number(std::int64_t value);
    Writer& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
    Writer& boolean(bool value) { return verbatim(value ? "true" : "false"); }
    // As Uuid::text() has it.
    Writer& id(const Uuid& id);
    // A string of hexadecimal digits, two a byte.
    Writer& hex(ByteView bytes);
    // As digest_text() has it.
    Writer& digest(const Sha256& digest);
    template <std::size_t N>
    Writer& member(const char (&name)[N], std::string_view value) {
        return key(name).text(value);
    }
    template <std::size_t N>
    Writer& member(const char (&name)[N], const Uuid& value) {
        return key(name).id(value);
    }
    template <std::size_t N>
    Writer& member(const char (&name)[N], const Sha256& value) {
        return key(name).digest(value);
    }
    // Already serialised.
    Writer& verbatim(std::string_view json) {
        if (json.empty()) return *this;  // there may be no address either
        need(json.size());
        std::memcpy(at_, json.data(), json.size());
        at_ += json.size();
        return *this;
    }

  private:
    void need(std::size_t bytes) {
        if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]]
            grow(bytes);
    }
    void grow(std::size_t bytes);
    void place(std::size_t used) {
        at_ = text_.data() + used;
        end_ = text_.data() + text_.size();
    }
    void put_comma() {
        *at_ = ',';
        at_ += first_ ? 0 : 1;
        first_ = false;
    }

    std::string text_;  // what is written, and room behind it
    char* at_;          // where the next byte goes
    char* end_;         // of the room
    bool first_ = true;
};

}  // namespace writ::json

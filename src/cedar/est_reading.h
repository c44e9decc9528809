// What reading a policy's JSON needs everywhere: where one is, what is wrong there, and the text
// that has been made.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "json/value.h"

namespace writ::cedar {

// Functions answer false after an error, which error() then has.
class EstReading {
  public:
    // `stop_at`: remember which part of the JSON that byte of the text comes from.
    EstReading(std::string_view pointer, std::size_t stop_at)
        : place_(pointer), stop_at_(stop_at) {}

    // One step of the way to a part; gone with it.
    class Step {
      public:
        Step(EstReading& reading, std::string_view key);
        ~Step() { place_.resize(size_); }
        Step(const Step&) = delete;
        Step& operator=(const Step&) = delete;

      private:
        std::string& place_;
        std::size_t size_;
    };

    bool wrong(std::string_view message);
    bool too_deep();
    bool expected(std::string_view what, const json::Value& got);
    bool object(const json::Value& value, std::string_view what) {
        return value.is_object() || expected(what, value);
    }
    // Whether all members are among `names`.
    bool known(const json::Value& value, std::span<const std::string_view> names);
    // Whether it is an object with these members and no other.
    bool exactly(const json::Value& value, std::span<const std::string_view> names);

    // The required member, read by `read`.
    template <class Read>
    bool part(const json::Value& value, std::string_view key, Read read) {
        const auto found = value.find(key);
        if (!found) return wrong("missing member `" + std::string(key) + "`");
        const Step step(*this, key);
        return read(*found);
    }
    // The elements of an array, each read by `read`.
    template <class Read>
    bool list(const json::Value& value, std::string_view what, char open, char close, Read read) {
        if (!value.is_array()) return expected(what, value);
        out += open;
        std::size_t i = 0;
        for (const json::Value& element : value.elements()) {
            const Step step(*this, std::to_string(i));
            if (i++ > 0) out += ", ";
            if (!read(element)) return false;
        }
        out += close;
        return true;
    }

    // The name of an entity type.
    bool type(const json::Value& value);
    enum class Of { kAnything, kActions };
    // {"type", "id"}, maybe in {"__entity": …}
    bool uid(const json::Value& value, Of of);

    // To be called where an expression begins.
    void mark() {
        if (stop_at_ != std::string::npos && out.size() <= stop_at_) stopped_at_ = place_;
    }
    const std::string& stopped_at() const { return stopped_at_; }
    // The way so far, which chains lengthen and shorten without recursion.
    std::string& place() { return place_; }
    const Error& error() const { return error_; }

    std::string out;

  private:
    bool uid_body(const json::Value& value, Of of);

    std::string place_;
    std::size_t stop_at_;
    std::string stopped_at_;
    Error error_;
};

// `a`, `b` or `c`
std::string listed(std::span<const std::string_view> names);

// Reads an expression, appending its text.
bool read_est_expression(EstReading& reading, const json::Value& value);

}  // namespace writ::cedar

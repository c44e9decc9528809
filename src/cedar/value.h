// The inside of a Value, and Cell: a value while an expression is being evaluated.
//
// A Rep is immutable and shared. A Cell is three words that borrow: scalars inline, the rest from
// a Rep, a Request or a store that outlives the evaluation, so that reading an attribute or
// comparing it touches no reference count.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cedar/cedar.h"
#include "cedar/ipaddr.h"
#include "cedar/uid.h"

namespace writ::cedar {

enum class Type : std::uint8_t {
    kBool,
    kLong,
    kString,
    kEntity,
    kSet,
    kRecord,
    kDecimal,   // number: units of 1/10,000
    kIp,        //
    kDatetime,  // number: milliseconds since the epoch
    kDuration,  // number: milliseconds
};

class Cell;

// Sorted by compare(), without duplicates.
struct Set {
    std::vector<Value> elements;
    bool contains(const Cell& element) const;
};

// Sorted by key, keys unique.
struct Record {
    std::vector<std::pair<std::string, Value>> members;
    const Value* find(std::string_view key) const;
};

struct Value::Rep : std::enable_shared_from_this<Value::Rep> {
    using Data = std::variant<std::int64_t, std::string, Uid, IpNet, Set, Record>;
    Rep(Type of, Data holding) : type(of), data(std::move(holding)) {}
    Type type;
    Data data;  // the number for kBool, kLong, kDecimal, kDatetime and kDuration
};

class Cell {
  public:
    Cell() = default;  // false
    static Cell boolean(bool v) { return number(Type::kBool, v ? 1 : 0); }
    static Cell number(Type type, std::int64_t v) {
        Cell out;
        out.type_ = type;
        out.word_ = static_cast<std::uint64_t>(v);
        return out;
    }
    static Cell string(const std::string& text) {
        Cell out;
        out.type_ = Type::kString;
        out.at_ = &text;
        return out;
    }
    static Cell entity(const UidRef& ref) {
        Cell out;
        out.type_ = Type::kEntity;
        out.word_ = ref.hash;
        out.at_ = ref.uid;
        return out;
    }
    static Cell of(const Value& value);

    Type type() const { return type_; }
    bool is(Type type) const { return type_ == type; }
    bool is_true() const { return word_ != 0; }                               // kBool
    std::int64_t number() const { return static_cast<std::int64_t>(word_); }  // and the extensions
    const std::string& text() const { return *static_cast<const std::string*>(at_); }
    UidRef uid() const { return {word_, static_cast<const EntityUid*>(at_)}; }
    const Set& set() const { return std::get<Set>(rep().data); }
    const Record& record() const { return std::get<Record>(rep().data); }
    const IpNet& ip() const { return std::get<IpNet>(rep().data); }

    // An owner of the same value. Copies strings and uids, shares sets and records.
    Value to_value() const;

  private:
    const Value::Rep& rep() const { return *static_cast<const Value::Rep*>(at_); }

    Type type_ = Type::kBool;
    std::uint64_t word_ = 0;    // the scalar, or an entity's hash
    const void* at_ = nullptr;  // std::string, EntityUid, or Rep of a set, record or ip
};

// A total order over all values, by type first; equal means Cedar's `==`.
std::strong_ordering compare(const Cell& a, const Cell& b);
bool equal(const Cell& a, const Cell& b);

Value make_value(Type type, Value::Rep::Data data);
Value make_number(Type type, std::int64_t number);
Value make_ip(const IpNet& net);

// The type as errors name it: `long`, `(entity of type `User`)`.
std::string type_name(const Cell& value);

}  // namespace writ::cedar

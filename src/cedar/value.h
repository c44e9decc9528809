// The inside of a Value, and Cell: a value while an expression is being evaluated.
//
// A Rep is immutable and shared. A Cell is three words that borrow: scalars inline, the rest from
// a Rep, a Request or a store that outlives the evaluation, so that reading an attribute or
// comparing it touches no reference count. Sets and records that an expression makes are `loose`:
// arrays of Cells in an arena, read through the same views as those of a Rep.
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

// The order is the reference's for values of different types, and seen: of several elements of a
// set that have the wrong type, an error names the first in this order.
enum class Type : std::uint8_t {
    kBool,
    kLong,
    kString,
    kEntity,
    kSet,
    kRecord,
    kDatetime,  // number: milliseconds since the epoch
    kDecimal,   // number: units of 1/10,000
    kDuration,  // number: milliseconds
    kIp,
};

class Cell;

// Sorted by compare(), without duplicates.
struct Set {
    std::vector<Value> elements;
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

class SetView;
class RecordView;
struct LooseMember;

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
    // Borrowed, as all of these: `net` outlives the Cell.
    static Cell ip(const IpNet& net) {
        Cell out;
        out.type_ = Type::kIp;
        out.at_ = &net;
        return out;
    }
    // Sorted by compare() without duplicates; by key without duplicates.
    static Cell loose_set(const Cell* elements, std::size_t count);
    static Cell loose_record(const LooseMember* members, std::size_t count);
    static Cell of(const Value& value);

    Type type() const { return type_; }
    bool is(Type type) const { return type_ == type; }
    bool is_true() const { return word_ != 0; }                               // kBool
    std::int64_t number() const { return static_cast<std::int64_t>(word_); }  // and the extensions
    const std::string& text() const { return *static_cast<const std::string*>(at_); }
    UidRef uid() const { return {word_, static_cast<const EntityUid*>(at_)}; }
    SetView set() const;
    RecordView record() const;
    const IpNet& ip() const { return *static_cast<const IpNet*>(at_); }

    // An owner of the same value. Copies strings, uids and what is loose, shares other sets and
    // records.
    Value to_value() const;

  private:
    const Value::Rep& rep() const { return *static_cast<const Value::Rep*>(at_); }

    Type type_ = Type::kBool;
    bool loose_ = false;
    std::uint64_t word_ = 0;  // the scalar, an entity's hash, or how much is loose
    const void* at_ =
        nullptr;  // std::string, EntityUid, IpNet, Rep of a set or record, or an array
};

struct LooseMember {
    const std::string* key = nullptr;
    Cell value;
};

// The elements of a set in the order of compare().
class SetView {
  public:
    explicit SetView(const Set& set) : values_(set.elements.data()), size_(set.elements.size()) {}
    SetView(const Cell* cells, std::size_t size) : cells_(cells), size_(size) {}

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    Cell operator[](std::size_t i) const {
        return values_ != nullptr ? Cell::of(values_[i]) : cells_[i];
    }
    bool contains(const Cell& element) const;

  private:
    const Value* values_ = nullptr;
    const Cell* cells_ = nullptr;
    std::size_t size_;
};

// The members of a record in the order of their keys.
class RecordView {
  public:
    explicit RecordView(const Record& record) : record_(&record), size_(record.members.size()) {}
    RecordView(const LooseMember* members, std::size_t size) : loose_(members), size_(size) {}

    std::size_t size() const { return size_; }
    const std::string& key(std::size_t i) const {
        return record_ != nullptr ? record_->members[i].first : *loose_[i].key;
    }
    Cell value(std::size_t i) const {
        return record_ != nullptr ? Cell::of(record_->members[i].second) : loose_[i].value;
    }
    // The member's value in `out`; false if there is none.
    bool find(std::string_view wanted, Cell& out) const;

  private:
    const Record* record_ = nullptr;
    const LooseMember* loose_ = nullptr;
    std::size_t size_;
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

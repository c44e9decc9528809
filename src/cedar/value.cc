#include "cedar/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "cedar/datetime.h"
#include "cedar/decimal.h"
#include "cedar/escape.h"
#include "cedar/extension.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

using Members = std::vector<std::pair<std::string, Value>>;

std::strong_ordering compare_sets(const SetView& a, const SetView& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        if (const auto order = compare(a[i], b[i]); order != 0) return order;
    return a.size() <=> b.size();
}

std::strong_ordering compare_records(const RecordView& a, const RecordView& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        if (const int keys = a.key(i).compare(b.key(i)); keys != 0) return keys <=> 0;
        if (const auto order = compare(a.value(i), b.value(i)); order != 0) return order;
    }
    return a.size() <=> b.size();
}

// A member or element in the text of a value. Recursion: as deep as the value, which its maker
// bounds.
std::string text_of(const Cell& value);

std::string text_of_set(const SetView& set) {
    std::string out = "[";
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i > 0) out += ", ";
        out += text_of(set[i]);
    }
    return out + "]";
}

std::string text_of_record(const RecordView& record) {
    std::string out = "{";
    for (std::size_t i = 0; i < record.size(); ++i) {
        if (i > 0) out += ", ";
        out += is_bare_key(record.key(i)) ? record.key(i) : string_literal(record.key(i));
        out += ": " + text_of(record.value(i));
    }
    return out + "}";
}

std::string text_of(const Cell& value) {
    switch (value.type()) {
        case Type::kBool:
            return value.is_true() ? "true" : "false";
        case Type::kLong:
            return fmt::to_string(value.number());
        case Type::kString:
            return string_literal(value.text());
        case Type::kEntity:
            return value.uid().uid->text();
        case Type::kSet:
            return text_of_set(value.set());
        case Type::kRecord:
            return text_of_record(value.record());
        case Type::kDecimal:
            return "decimal(\"" + decimal_text(value.number()) + "\")";
        case Type::kIp:
            return "ip(\"" + value.ip().text() + "\")";
        case Type::kDatetime:
            return datetime_text(value.number());
        case Type::kDuration:
            return "duration(\"" + fmt::to_string(value.number()) + "ms\")";
    }
    return {};
}

}  // namespace

Value make_value(Type type, Value::Rep::Data data) {
    return Value(std::make_shared<const Value::Rep>(type, std::move(data)));
}

Value make_number(Type type, std::int64_t number) {
    return make_value(type, number);
}

Value make_ip(const IpNet& net) {
    return make_value(Type::kIp, net);
}

Value Value::boolean(bool v) {
    static const Value yes = make_number(Type::kBool, 1);
    static const Value no = make_number(Type::kBool, 0);
    return v ? yes : no;
}

Value Value::integer(std::int64_t v) {
    return make_number(Type::kLong, v);
}

Value Value::string(std::string_view v) {
    return make_value(Type::kString, std::string(v));
}

Value Value::entity(EntityUid uid) {
    return make_value(Type::kEntity, Uid(std::move(uid)));
}

Value Value::set(std::vector<Value> elements) {
    std::sort(elements.begin(), elements.end(),
              [](const Value& a, const Value& b) { return compare(Cell::of(a), Cell::of(b)) < 0; });
    elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
    return make_value(Type::kSet, Set{std::move(elements)});
}

Value Value::record(Members members) {
    const auto ascending = [](const auto& a, const auto& b) { return a.first < b.first; };
    const auto disorder = [&](const auto& a, const auto& b) { return !ascending(a, b); };
    if (std::adjacent_find(members.begin(), members.end(), disorder) == members.end())
        return make_value(Type::kRecord, Record{std::move(members)});
    // By key, of equal keys the later before the earlier: that one stays.
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const int keys = members[a].first.compare(members[b].first);
        return keys != 0 ? keys < 0 : a > b;
    });
    Record out;
    out.members.reserve(members.size());
    for (std::size_t i : order)
        if (out.members.empty() || out.members.back().first != members[i].first)
            out.members.push_back(std::move(members[i]));
    return make_value(Type::kRecord, std::move(out));
}

Value Value::datetime_ms(std::int64_t ms) {
    return make_number(Type::kDatetime, ms);
}

Result<Value> Value::extension(std::string_view constructor, std::string_view argument) {
    const auto function = find_function(constructor);
    if (!function || !is_constructor(*function))
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` does not construct an extension value: use `decimal`, `ip`, "
                                "`datetime` or `duration`",
                                constructor));
    const std::string text(argument);
    std::array<Cell, 1> arguments = {Cell::string(text)};
    IpNet place;
    const auto result = call_function(*function, arguments, place);
    if (!result) return fail(ErrorCode::kInvalid, result.error());
    return result->to_value();
}

std::string Value::text() const {
    return text_of(Cell::of(*this));
}

bool Value::operator==(const Value& other) const {
    return rep_ == other.rep_ || equal(Cell::of(*this), Cell::of(other));
}

Cell Cell::of(const Value& value) {
    const Value::Rep& rep = value.rep();
    Cell out;
    out.type_ = rep.type;
    switch (rep.type) {
        case Type::kBool:
        case Type::kLong:
        case Type::kDecimal:
        case Type::kDatetime:
        case Type::kDuration:
            out.word_ = static_cast<std::uint64_t>(std::get<std::int64_t>(rep.data));
            break;
        case Type::kString:
            out.at_ = &std::get<std::string>(rep.data);
            break;
        case Type::kEntity:
            return entity(std::get<Uid>(rep.data).ref());
        case Type::kIp:
            out.at_ = &std::get<IpNet>(rep.data);
            break;
        case Type::kSet:
        case Type::kRecord:
            out.at_ = &rep;
            break;
    }
    return out;
}

Cell Cell::loose_set(const Cell* elements, std::size_t count) {
    Cell out;
    out.type_ = Type::kSet;
    out.loose_ = true;
    out.word_ = count;
    out.at_ = elements;
    return out;
}

Cell Cell::loose_record(const LooseMember* members, std::size_t count) {
    Cell out = loose_set(nullptr, count);
    out.type_ = Type::kRecord;
    out.at_ = members;
    return out;
}

SetView Cell::set() const {
    if (loose_) return {static_cast<const Cell*>(at_), word_};
    return SetView(std::get<Set>(rep().data));
}

RecordView Cell::record() const {
    if (loose_) return {static_cast<const LooseMember*>(at_), word_};
    return RecordView(std::get<Record>(rep().data));
}

Value Cell::to_value() const {
    switch (type_) {
        case Type::kBool:
            return Value::boolean(is_true());
        case Type::kLong:
        case Type::kDecimal:
        case Type::kDatetime:
        case Type::kDuration:
            return make_number(type_, number());
        case Type::kString:
            return Value::string(text());
        case Type::kEntity:
            return Value::entity(*uid().uid);
        case Type::kIp:
            return make_ip(ip());
        case Type::kSet:
        case Type::kRecord:
            break;
    }
    if (!loose_) return Value(rep().shared_from_this());
    if (type_ == Type::kSet) {
        std::vector<Value> elements;
        for (std::size_t i = 0; i < word_; ++i) elements.push_back(set()[i].to_value());
        return Value::set(std::move(elements));
    }
    Members members;
    for (std::size_t i = 0; i < word_; ++i)
        members.emplace_back(record().key(i), record().value(i).to_value());
    return Value::record(std::move(members));
}

std::strong_ordering compare(const Cell& a, const Cell& b) {
    if (a.type() != b.type()) return a.type() <=> b.type();
    switch (a.type()) {
        case Type::kBool:
        case Type::kLong:
        case Type::kDecimal:
        case Type::kDatetime:
        case Type::kDuration:
            return a.number() <=> b.number();
        case Type::kString:
            return a.text().compare(b.text()) <=> 0;
        case Type::kEntity:
            return *a.uid().uid <=> *b.uid().uid;
        case Type::kSet:
            return compare_sets(a.set(), b.set());
        case Type::kRecord:
            return compare_records(a.record(), b.record());
        case Type::kIp:
            return a.ip() <=> b.ip();
    }
    return std::strong_ordering::equal;
}

bool equal(const Cell& a, const Cell& b) {
    if (a.is(Type::kEntity) && b.is(Type::kEntity)) return a.uid() == b.uid();
    return compare(a, b) == 0;
}

bool SetView::contains(const Cell& element) const {
    std::size_t low = 0, high = size_;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        const auto order = compare((*this)[middle], element);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool RecordView::find(std::string_view wanted, Cell& out) const {
    if (record_ != nullptr) {
        const Value* value = record_->find(wanted);
        if (value != nullptr) out = Cell::of(*value);
        return value != nullptr;
    }
    const LooseMember* end = loose_ + size_;
    const LooseMember* at =
        std::lower_bound(loose_, end, wanted,
                         [](const LooseMember& m, std::string_view key) { return *m.key < key; });
    if (at == end || *at->key != wanted) return false;
    out = at->value;
    return true;
}

// OPTIMIZATION: few members are tried one by one, most keys being told apart by their length.
const Value* Record::find(std::string_view key) const {
    constexpr std::size_t kFew = 8;
    if (members.size() <= kFew) {
        for (const auto& [name, value] : members)
            if (name.size() == key.size() && std::memcmp(name.data(), key.data(), key.size()) == 0)
                return &value;
        return nullptr;
    }
    const auto at = std::lower_bound(
        members.begin(), members.end(), key,
        [](const auto& member, std::string_view wanted) { return member.first < wanted; });
    return at != members.end() && at->first == key ? &at->second : nullptr;
}

std::string type_name(const Cell& value) {
    switch (value.type()) {
        case Type::kBool:
            return "bool";
        case Type::kLong:
            return "long";
        case Type::kString:
            return "string";
        case Type::kEntity:
            return fmt::format("(entity of type `{}`)", value.uid().uid->type);
        case Type::kSet:
            return "set";
        case Type::kRecord:
            return "record";
        case Type::kDecimal:
            return "decimal";
        case Type::kIp:
            return "ipaddr";
        case Type::kDatetime:
            return "datetime";
        case Type::kDuration:
            return "duration";
    }
    return {};
}

}  // namespace writ::cedar

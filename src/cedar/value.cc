#include "cedar/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cedar/datetime.h"
#include "cedar/decimal.h"
#include "cedar/escape.h"
#include "cedar/extension.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

using Members = std::vector<std::pair<std::string, Value>>;

std::strong_ordering compare_sets(const Set& a, const Set& b) {
    return std::lexicographical_compare_three_way(
        a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(),
        [](const Value& x, const Value& y) { return compare(Cell::of(x), Cell::of(y)); });
}

std::strong_ordering compare_records(const Record& a, const Record& b) {
    return std::lexicographical_compare_three_way(
        a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
        [](const auto& x, const auto& y) {
            const auto keys = x.first.compare(y.first) <=> 0;
            return keys != 0 ? keys : compare(Cell::of(x.second), Cell::of(y.second));
        });
}

// A member or element in the text of a value. Recursion: as deep as the value, which its maker
// bounds.
std::string text_of(const Cell& value);

std::string text_of_set(const Set& set) {
    std::string out = "[";
    for (const Value& element : set.elements) {
        if (out.size() > 1) out += ", ";
        out += text_of(Cell::of(element));
    }
    return out + "]";
}

std::string text_of_record(const Record& record) {
    std::string out = "{";
    for (const auto& [key, value] : record.members) {
        if (out.size() > 1) out += ", ";
        out += is_bare_key(key) ? key : quoted(key);
        out += ": " + text_of(Cell::of(value));
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
            return quoted(value.text());
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
    std::vector<Value> hold;
    const auto result = call_function(*function, arguments, hold);
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
        case Type::kSet:
        case Type::kRecord:
        case Type::kIp:
            out.at_ = &rep;
            break;
    }
    return out;
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
        case Type::kSet:
        case Type::kRecord:
        case Type::kIp:
            break;
    }
    return Value(rep().shared_from_this());
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

bool Set::contains(const Cell& element) const {
    return std::binary_search(
        elements.begin(), elements.end(), element, [](const auto& a, const auto& b) {
            const auto cell = [](const auto& x) {
                if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Value>)
                    return Cell::of(x);
                else
                    return x;
            };
            return compare(cell(a), cell(b)) < 0;
        });
}

const Value* Record::find(std::string_view key) const {
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

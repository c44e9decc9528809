// What is printed reads back: any value, any string, any uid.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "cedar/test_world.h"
#include "json/utf8.h"

namespace writ::cedar {
namespace {

std::string any_text() {
    const auto scalars = *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::oneOf(
        rc::gen::inRange<std::uint32_t>(0, 0x80), rc::gen::inRange<std::uint32_t>(0x80, 0xd800),
        rc::gen::inRange<std::uint32_t>(0xe000, 0x110000),
        rc::gen::element<std::uint32_t>('"', '\\', '*', '\n', '\r', 0, 0x202e)));
    std::string out;
    for (std::uint32_t c : scalars) json::append_utf8(out, c);
    return out;
}

Value any_value(int depth) {
    switch (*rc::gen::inRange(0, depth > 3 ? 8 : 10)) {
        case 0:
            return Value::boolean(*rc::gen::arbitrary<bool>());
        case 1:
        case 2:
            return Value::integer(*rc::gen::arbitrary<std::int64_t>());
        case 3:
            return Value::string(any_text());
        case 4:
            return Value::entity(
                {*rc::gen::element<std::string>("User", "A::B", "principal"), any_text()});
        case 5:
            return Value::datetime_ms(*rc::gen::arbitrary<std::int64_t>());
        case 6:
            return Value::extension("duration",
                                    std::to_string(*rc::gen::arbitrary<std::int64_t>()) + "ms")
                .value();
        case 7:
            return Value::extension(
                       "ip", *rc::gen::element<std::string>("1.2.3.4/8", "::1", "fe80::1/64"))
                .value();
        case 8: {
            std::vector<Value> elements;
            for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
                elements.push_back(any_value(depth + 1));
            return Value::set(std::move(elements));
        }
        default: {
            std::vector<std::pair<std::string, Value>> members;
            for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
                members.emplace_back(*rc::gen::arbitrary<bool>() ? any_text() : "if",
                                     any_value(depth + 1));
            return Value::record(std::move(members));
        }
    }
}

TEST(Properties, ValuesReadBackFromTheirText) {
    const bool held = rc::check([] {
        Request request = test::request();
        const Value value = any_value(0);
        request.context = Value::record({{"v", value}});
        RC_ASSERT(test::ask("context.v == " + value.text(), request, Entities()) == "true");
    });
    EXPECT_TRUE(held);
}

TEST(Properties, EqualityIsAnEquivalenceThatSetsFollow) {
    const bool held = rc::check([] {
        const Value a = any_value(1), b = any_value(1);
        RC_ASSERT(a == a);
        RC_ASSERT((a == b) == (b == a));
        RC_ASSERT(Value::set({a, b}) == Value::set({b, a, b}));
        RC_ASSERT((Value::set({a, b}) == Value::set({a})) == (a == b));
    });
    EXPECT_TRUE(held);
}

TEST(Properties, PolicyTextsReadBack) {
    const bool held = rc::check([] {
        const EntityUid uid{"A::B", any_text()};
        const auto policies =
            PolicySet::parse("@note(" + Value::string(uid.id).text() +
                             ") permit(principal == " + uid.text() + ", action, resource);");
        RC_ASSERT(policies.has_value());
        const auto again = PolicySet::parse(policies->list()[0].text);
        RC_ASSERT(again->list()[0].annotations.at("note") == uid.id);
        Request request = test::request();
        request.principal = uid;
        RC_ASSERT(authorize(request, *again, Entities()).decision == Decision::kAllow);
    });
    EXPECT_TRUE(held);
}

TEST(Properties, AnyTextIsParsedOrRefused) {
    const bool held = rc::check([] {
        std::string text;
        const auto words =
            *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                "permit", "forbid", "(", ")", "{", "}", "[", "]", "principal", "action", "resource",
                ",", ";", "when", "unless", "==", "in", "is", "has", "like", "if", "then", "else",
                "::", ":", ".", "\"a\"", "1", "-", "!", "&&", "||", "@", "User", "?principal", "ip",
                "\"", "\\", "//", "\n"));
        for (const auto& word : words) text += word + " ";
        const auto policies = PolicySet::parse(text);
        if (!policies) RC_ASSERT(!policies.error().detail.empty());
    });
    EXPECT_TRUE(held);
}

}  // namespace
}  // namespace writ::cedar

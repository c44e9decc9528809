// Values: equality, order, text, and the JSON they are read from.
#include "cedar/value.h"

#include <gtest/gtest.h>

#include <limits>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

using test::from_json;

Result<Value> value_from(std::string_view text) {
    const auto document = json::parse(text, {.depth_max = 1'000});
    if (!document) return fail(document.error());
    return Value::from_json(document->root());
}

TEST(Value, SetsIgnoreOrderAndDuplicates) {
    EXPECT_EQ(from_json("[1, 2, 1]"), from_json("[2, 1]"));
    EXPECT_EQ(from_json("[[1, 2], [2, 1]]"), from_json("[[1, 2]]"));
    EXPECT_FALSE(from_json("[1]") == from_json("[1, 2]"));
}

TEST(Value, TypesAreNeverEqual) {
    EXPECT_FALSE(Value::integer(1) == Value::string("1"));
    EXPECT_FALSE(Value::integer(1) == Value::boolean(true));
    EXPECT_FALSE(Value::integer(0) == Value::datetime_ms(0));
    EXPECT_FALSE(Value::set({}) == Value::record({}));
    EXPECT_FALSE(Value::entity({"A", "x"}) == Value::entity({"B", "x"}));
}

TEST(Value, ExtensionValuesAreEqualByWhatTheyMean) {
    EXPECT_EQ(Value::extension("decimal", "1.0").value(),
              Value::extension("decimal", "1.0000").value());
    EXPECT_EQ(Value::extension("ip", "1.2.3.4").value(),
              Value::extension("ip", "1.2.3.4/32").value());
    EXPECT_EQ(Value::extension("datetime", "1970-01-01").value(), Value::datetime_ms(0));
    EXPECT_EQ(Value::extension("duration", "1m").value(),
              Value::extension("duration", "60s").value());
}

TEST(Value, ExtensionNamesOnlyConstructors) {
    EXPECT_FALSE(Value::extension("toDate", "1970-01-01"));
    EXPECT_FALSE(Value::extension("nothing", "x"));
    EXPECT_EQ(Value::extension("ip", "x").error().code, ErrorCode::kInvalid);
}

TEST(Value, OfEqualKeysTheLastStays) {
    const Value record = Value::record(
        {{"b", Value::integer(1)}, {"a", Value::integer(2)}, {"b", Value::integer(3)}});
    EXPECT_EQ(record.text(), "{a: 2, b: 3}");
}

TEST(Value, TextIsCedarSource) {
    EXPECT_EQ(from_json(R"({"a b": [true, -5, "x\"y"], "if": {}, "k": {"__entity":
                           {"type": "N::U", "id": "q\n"}}})")
                  .text(),
              R"({"a b": [true, -5, "x\"y"], "if": {}, k: N::U::"q\n"})");
    EXPECT_EQ(Value::extension("ip", "1.2.3.4").value().text(), R"(ip("1.2.3.4/32"))");
    EXPECT_EQ(Value::extension("decimal", "-0.5").value().text(), R"(decimal("-0.5000"))");
    EXPECT_EQ(Value::datetime_ms(1).text(), R"(datetime("1970-01-01T00:00:00.001Z"))");
    EXPECT_EQ(Value::datetime_ms(-1).text(), R"(datetime("1969-12-31T23:59:59.999Z"))");
    EXPECT_EQ(Value::datetime_ms(std::numeric_limits<std::int64_t>::min()).text(),
              R"(datetime("1970-01-01").offset(duration("-9223372036854775808ms")))");
    EXPECT_EQ(Value::extension("duration", "1m").value().text(), R"(duration("60000ms"))");
}

TEST(ValueJson, EscapesAreTakenOnlyAlone) {
    EXPECT_EQ(from_json(R"({"__entity": {"type": "User", "id": "a"}})"),
              Value::entity({"User", "a"}));
    EXPECT_EQ(from_json(R"({"__entity": {"type": "User", "id": "a"}, "x": 1})").text(),
              R"({__entity: {id: "a", type: "User"}, x: 1})");
    EXPECT_EQ(from_json(R"({"type": "User", "id": "a"})").text(), R"({id: "a", type: "User"})");
    EXPECT_EQ(from_json(R"({"__extn": {"fn": "offset", "args": [
                  {"__extn": {"fn": "datetime", "arg": "1970-01-01"}},
                  {"__extn": {"fn": "duration", "arg": "5ms"}}]}})"),
              Value::datetime_ms(5));
}

TEST(ValueJson, RefusesWhatCedarHasNot) {
    for (const char* text :
         {"null", "1.5", "1e3", "9223372036854775808", R"({"a": [null]})", R"({"__expr": "1"})",
          R"({"__entity": "User::\"a\""})", R"({"__entity": {"type": "a b", "id": "x"}})",
          R"({"__entity": {"type": "if", "id": "x"}})", R"({"__entity": {"type": "A"}})",
          R"({"__extn": {"fn": "ip", "arg": "x"}})", R"({"__extn": {"fn": "nope", "arg": "x"}})",
          R"({"__extn": {"fn": "toDays", "args": [{"__extn": {"fn": "duration", "arg": "1d"}}]}})",
          R"({"__extn": {"fn": "ip"}})", R"({"__extn": {"fn": "ip", "arg": "::", "args": []}})",
          R"({"__extn": {"fn": "ip", "args": "::"}})", R"({"__extn": "ip"})"})
        EXPECT_FALSE(value_from(text)) << text;
}

TEST(ValueJson, ErrorsNameThePath) {
    const auto value = value_from(R"({"input": {"rows": [1, {"cost": 2.5}]}})");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, ErrorCode::kInvalid);
    EXPECT_NE(value.error().detail.find("input.rows[1].cost"), std::string::npos)
        << value.error().detail;
}

TEST(ValueJson, NestingIsBounded) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(value_from(nested(200)));
    EXPECT_FALSE(value_from(nested(300)));
}

TEST(Uid, HashesTellTypeAndIdApart) {
    EXPECT_EQ(hash_uid({"A", "b"}), hash_uid({"A", "b"}));
    EXPECT_NE(hash_uid({"A", "b"}), hash_uid({"b", "A"}));
    EXPECT_NE(hash_uid({"A", ""}), hash_uid({"", "A"}));
    EXPECT_NE(hash_text("12345678"), hash_text(std::string_view("12345678\0", 9)));
    EXPECT_EQ(EntityUid({"Writ::Agent", "a\"b"}).text(), R"(Writ::Agent::"a\"b")");
}

}  // namespace
}  // namespace writ::cedar

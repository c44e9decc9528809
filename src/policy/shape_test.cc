#include "policy/shape.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "policy/input.h"
#include "policy/names.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

// The Cedar type of one property `x`, required unless said otherwise.
std::string type_of(const std::string& schema, const std::string& more = "") {
    const std::string text = R"({"type":"object","additionalProperties":false,"required":["x"],)"
                             R"("properties":{"x":)" +
                             schema + "}" + more + "}";
    const auto shape = read_shape(std::string_view(text));
    std::string out = type_text(*shape.root);
    return out;
}

// `x` of the arguments as Cedar text, or the refusal.
std::string value_of(const std::string& schema, const std::string& x) {
    const std::string text = R"({"type":"object","properties":{"x":)" + schema + "}}";
    const std::string arguments = R"({"x":)" + x + "}";
    const auto parsed = json::parse(arguments);
    const auto value = input_value(parsed->root(), *read_shape(std::string_view(text)).root);
    return value ? value->text() : value.error().detail;
}

TEST(Shape, ScalarsAndFormats) {
    EXPECT_EQ(type_of(R"({"type":"integer"})"), "{ x: Long }");
    EXPECT_EQ(type_of(R"({"type":"number"})"), "{ x: decimal }");
    EXPECT_EQ(type_of(R"({"type":"boolean"})"), "{ x: Bool }");
    EXPECT_EQ(type_of(R"({"type":"string","format":"uri"})"), "{ x: String }");
    EXPECT_EQ(type_of(R"({"type":"string","format":"date-time"})"), "{ x: datetime }");
    EXPECT_EQ(type_of(R"({"type":"string","format":"duration"})"), "{ x: duration }");
    EXPECT_EQ(type_of(R"({"type":"string","format":"ipv6"})"), "{ x: ipaddr }");
    EXPECT_EQ(type_of("{}"), "{ x: Writ::Any }");
    EXPECT_EQ(type_of("true"), "{ x: Writ::Any }");
    EXPECT_EQ(type_of("false"), "{}");
}

TEST(Shape, AnEnumIsAStringThatKnowsItsWords) {
    EXPECT_EQ(type_of(R"({"enum":["b","a"]})"), R"({ @enum("a b") x: String })");
    EXPECT_EQ(type_of(R"({"type":"string","enum":["b",null]})"), R"({ @enum("b") x: String })");
    EXPECT_EQ(type_of(R"({"const":5})"), "{ x: Long }");
    EXPECT_EQ(type_of(R"({"enum":[1,"a"]})"),
              R"({ @enum("a") x: { integer?: Long, string?: String } })");
}

TEST(Shape, NullMakesOptional) {
    for (const char* schema :
         {R"({"type":["integer","null"]})", R"({"anyOf":[{"type":"integer"},{"type":"null"}]})",
          R"({"type":"integer","nullable":true})"}) {
        EXPECT_EQ(type_of(schema), "{ x?: Long }") << schema;
        EXPECT_EQ(value_of(schema, "null"), "{}") << schema;
        EXPECT_EQ(value_of(schema, "7"), "{x: 7}") << schema;
    }
    EXPECT_NE(value_of(R"({"type":"integer"})", "null").find("`x` is null"), std::string::npos);
}

TEST(Shape, UnionsAreToldApartByKind) {
    const char* either = R"({"type":["integer","string","array"],"items":{"type":"boolean"}})";
    EXPECT_EQ(type_of(either), "{ x: { array?: Set<Bool>, integer?: Long, string?: String } }");
    EXPECT_EQ(value_of(either, "3"), "{x: {integer: 3}}");
    EXPECT_EQ(value_of(either, R"("a")"), R"({x: {string: "a"}})");
    EXPECT_NE(value_of(either, "true").find("is a boolean"), std::string::npos);
    EXPECT_EQ(type_of(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"), "{ x: decimal }");
    EXPECT_EQ(type_of(R"({"anyOf":[
        {"type":"object","additionalProperties":false,"required":["a","k"],
         "properties":{"k":{"const":"1"},"a":{"type":"integer"}}},
        {"type":"object","additionalProperties":false,"required":["k"],
         "properties":{"k":{"const":"2"},"b":{"type":"string"}}}]})"),
              R"({ x: { a?: Long, b?: String, @enum("1 2") k: String } })");
}

TEST(Shape, AllOfMeets) {
    EXPECT_EQ(type_of(R"({"type":"object","additionalProperties":false,"allOf":[
        {"properties":{"a":{"type":"number"}},"required":["a"]},
        {"properties":{"a":{"type":"integer"},"b":{"type":"string"}}}]})"),
              "{ x: { a: Long, b?: String } }");
}

TEST(Shape, ArraysAreSetsAndClosedTuplesRecords) {
    EXPECT_EQ(type_of(R"({"type":"array","items":{"type":"string"}})"), "{ x: Set<String> }");
    EXPECT_EQ(type_of(R"({"type":"array"})"), "{ x: Set<Writ::Any> }");
    const char* pair = R"({"type":"array","minItems":1,"items":false,
                           "prefixItems":[{"type":"integer"},{"type":"string"}]})";
    EXPECT_EQ(type_of(pair), "{ x: { _0: Long, _1?: String } }");
    EXPECT_EQ(value_of(pair, R"([1,"a"])"), R"({x: {_0: 1, _1: "a"}})");
    EXPECT_NE(value_of(pair, R"([1,"a",2])").find("has 3 elements"), std::string::npos);
    EXPECT_NE(value_of(pair, "[]").find("`x[0]` is missing"), std::string::npos);
}

TEST(Shape, WhatAToolDoesNotNameIsToldInStar) {
    const std::string open = R"({"type":"object","properties":{"a":{"type":"integer"}}})";
    EXPECT_EQ(type_of(open), R"({ x: { a?: Long, "*"?: Writ::Others } })");
    EXPECT_EQ(value_of(open, R"({"a":1,"c":[2.5],"b":null})"),
              R"({x: {"*": {json: "{\"b\":null,\"c\":[2.5]}", names: ["b", "c"]}, a: 1}})");
    const std::string map = R"({"type":"object","additionalProperties":{"type":"string"}})";
    EXPECT_EQ(type_of(map),
              R"({ x: { "*"?: { json: String, names: Set<String>, values: Set<String> } } })");
    const std::string closed = R"({"type":"object","additionalProperties":false})";
    EXPECT_NE(value_of(closed, R"({"evil":1})").find("`x.evil` is not an argument"),
              std::string::npos);
}

TEST(Shape, ReferencesAreFollowedAndCyclesWidened) {
    EXPECT_EQ(type_of(R"({"$ref":"#/$defs/a~1b%20c"})", R"(,"$defs":{"a/b c":{"type":"integer"}})"),
              "{ x: Long }");
    EXPECT_EQ(type_of(R"({"$ref":"#/$defs/node"})",
                      R"(,"$defs":{"node":{"type":"object","additionalProperties":false,
                         "properties":{"next":{"$ref":"#/$defs/node"},"v":{"type":"integer"}}}})"),
              "{ x: { next?: Writ::Any, v?: Long } }");
    EXPECT_EQ(type_of(R"({"$ref":"https://elsewhere/x"})"), "{ x: Writ::Any }");
    EXPECT_EQ(type_of(R"({"$ref":"#"})"), "{ x: { x: Writ::Any } }");
}

TEST(Shape, AHostileSchemaIsBounded) {
    // Each definition mentions the next twice: 2^40 nodes if followed to the end.
    std::string bomb = R"({"type":"object","properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{)";
    for (int i = 0; i < 40; ++i) {
        const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + R"("})";
        bomb += R"("d)" + std::to_string(i) + R"(":{"type":"object","properties":{"a":)" + next +
                R"(,"b":)" + next + "}},";
    }
    bomb += R"("d40":{}}})";
    std::string wide = R"({"type":"object","properties":{"x":{"anyOf":[)";
    for (int i = 0; i < 3'000; ++i)
        wide += std::string(i == 0 ? "" : ",") + R"({"type":"object","properties":{"p)" +
                std::to_string(i) + R"(":{"type":"integer"}}})";
    wide += "]}}}";
    const auto start = std::chrono::steady_clock::now();
    const auto bombed = read_shape(std::string_view(bomb));
    const auto widened = read_shape(std::string_view(wide));
    EXPECT_FALSE(bombed.widened.empty());
    EXPECT_LT(type_text(*bombed.root).size(), 200'000u);
    EXPECT_FALSE(widened.widened.empty());
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Shape, MissingAndMistypedArgumentsAreRefused) {
    const auto shape = read_shape(std::string_view(
        R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}},
            "required":["b"]}},"required":["a"]})"));
    const auto refusal = [&](const std::string& arguments) {
        const auto parsed = json::parse(arguments);
        const auto value = input_value(parsed->root(), *shape.root);
        return value ? std::string("accepted") : value.error().detail;
    };
    EXPECT_EQ(refusal(R"({"a":{"b":"x"}})"), "accepted");
    EXPECT_NE(refusal("{}").find("`a` is missing"), std::string::npos);
    EXPECT_NE(refusal(R"({"a":{}})").find("`a.b` is missing"), std::string::npos);
    EXPECT_NE(refusal(R"({"a":{"b":5}})").find("`a.b` is a number"), std::string::npos);
}

TEST(Names, TypeNamesAreIdentifiersAndReadBack) {
    EXPECT_EQ(type_name("fs/read_file"), "fs__2fread_file");
    EXPECT_EQ(type_name("a__b"), "a__5f_b");
    for (const char* text :
         {"fs/read_file", "a__b", "a___", "9/x", "_", "__", "a__2fb", "x-y.z/w_", "_a__", "a_/b"}) {
        const std::string name = type_name(text);
        EXPECT_EQ(text_of_type_name(name), text) << name;
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                         "0123456789"),
                  std::string::npos);
    }
    EXPECT_EQ(text_of_type_name("a-b"), std::nullopt);
    EXPECT_EQ(text_of_type_name("a__61"), std::nullopt);
}

}  // namespace
}  // namespace writ::policy

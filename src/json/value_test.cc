#include "json/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "json/node.h"

namespace writ::json {
namespace {

TEST(JsonValue, KnowsItsExactBytes) {
    std::string text = R"( {"a" : [ 1 , "x\n" ] , "b":{ } , "c":-1.50E+2 } )";
    Document doc = parse(text).value();
    EXPECT_EQ(doc.root().raw(), R"({"a" : [ 1 , "x\n" ] , "b":{ } , "c":-1.50E+2 })");
    EXPECT_EQ(doc.root().find("a")->raw(), R"([ 1 , "x\n" ])");
    EXPECT_EQ(doc.root().find("a")->elements()[1].raw(), R"("x\n")");
    EXPECT_EQ(doc.root().find("b")->raw(), "{ }");
    EXPECT_EQ(doc.root().find("c")->raw(), "-1.50E+2");
    EXPECT_EQ(doc.root().find("a")->raw().data(), text.data() + 8) << "a range of the text itself";
}

TEST(JsonValue, WalksMembersAndElementsInOrder) {
    std::string text = R"({"z":[[1],[2,[3]],4],"a":{"k":{"z":1}},"m":null})";
    Document doc = parse(text).value();
    std::vector<Member> members = doc.root().members();
    ASSERT_EQ(members.size(), 3U);
    EXPECT_EQ(members[0].key, "z");
    EXPECT_EQ(members[1].key, "a");
    EXPECT_EQ(members[2].key, "m");
    EXPECT_TRUE(members[2].value.is_null());
    std::vector<Value> elements = members[0].value.elements();
    ASSERT_EQ(elements.size(), 3U);
    EXPECT_EQ(elements[1].raw(), "[2,[3]]");
    EXPECT_EQ(elements[2].as_i64(), 4);
    EXPECT_EQ(doc.root().size(), 3U);
    EXPECT_EQ(members[0].value.size(), 3U);
    EXPECT_EQ(elements[2].size(), 0U);
    EXPECT_FALSE(doc.root().find("k")) << "not the member of a child";
}

TEST(JsonValue, UnescapesStringsAndNames) {
    std::string text = R"({"\u0061":"\u20ac\ud83d\ude00\"\/","n":"plain"})";
    Document doc = parse(text).value();
    EXPECT_EQ(doc.root().string("a"), "\u20ac\U0001F600\"/");
    EXPECT_EQ(doc.root().string("n"), "plain");
    EXPECT_EQ(doc.root().members()[0].key, "a");
}

TEST(JsonValue, KeepsNulInsideStrings) {
    std::string text = R"(["a\u0000b"])";
    Document doc = parse(text).value();
    EXPECT_EQ(doc.root().elements()[0].as_string(), std::string_view("a\0b", 3));
}

TEST(JsonValue, ReadsIntegersOnlyFromIntegerLexemes) {
    auto i64 = [](std::string_view text) { return parse(text)->root().as_i64(); };
    EXPECT_EQ(i64("0"), 0);
    EXPECT_EQ(i64("-0"), 0);
    EXPECT_EQ(i64("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(i64("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(i64("9223372036854775808"), std::nullopt);
    EXPECT_EQ(i64("-9223372036854775809"), std::nullopt);
    EXPECT_EQ(i64("1.0"), std::nullopt);
    EXPECT_EQ(i64("1e2"), std::nullopt);
    EXPECT_EQ(i64("\"1\""), std::nullopt);
    EXPECT_EQ(i64("true"), std::nullopt);
}

TEST(JsonValue, ReadsDoublesOfAnySize) {
    auto real = [](std::string_view text) { return parse(text)->root().as_double(); };
    EXPECT_EQ(real("1"), 1.0);
    EXPECT_EQ(real("-0.5e1"), -5.0);
    EXPECT_EQ(real("1.7976931348623157e308"), std::numeric_limits<double>::max());
    EXPECT_EQ(real("5e-324"), std::numeric_limits<double>::denorm_min());
    EXPECT_EQ(real("18446744073709551616"), 18446744073709551616.0);
    EXPECT_EQ(real("1e400"), std::nullopt);
    EXPECT_EQ(real("-1e400"), std::nullopt);
    EXPECT_EQ(real("1e99999999999999999999"), std::nullopt);
    EXPECT_EQ(real("0e99999999999999999999"), 0.0);
    EXPECT_EQ(real("1e-400"), 0.0);
    EXPECT_EQ(real("1e-99999999999999999999"), 0.0);
    EXPECT_EQ(real("0." + std::string(400, '0') + "1"), 0.0);
    EXPECT_EQ(real("1" + std::string(400, '0')), std::nullopt);
    EXPECT_EQ(real("1" + std::string(400, '0') + "e-400"), 1.0);
    EXPECT_TRUE(std::signbit(*real("-1e-400")));
    EXPECT_EQ(real("0.000040e73709551616"), std::nullopt)
        << "a small mantissa does not make it tiny";
    EXPECT_EQ(real("-0.1e+400"), std::nullopt);
    EXPECT_EQ(real("1" + std::string(400, '0') + "e-900"), 0.0);
    EXPECT_EQ(real("0." + std::string(400, '0') + "1e800"), std::nullopt);
    EXPECT_EQ(real("null"), std::nullopt);
}

TEST(JsonValue, AnswersNothingForAnotherKind) {
    Document doc = parse(R"({"s":"x","n":1,"b":true,"z":null})").value();
    EXPECT_EQ(doc.root().string("n"), std::nullopt);
    EXPECT_EQ(doc.root().i64("s"), std::nullopt);
    EXPECT_EQ(doc.root().boolean("z"), std::nullopt);
    EXPECT_EQ(doc.root().boolean("b"), true);
    EXPECT_EQ(doc.root().i64("none"), std::nullopt);
    EXPECT_FALSE(doc.root().find("s")->find("s"));
    EXPECT_TRUE(doc.root().elements().empty());
    EXPECT_TRUE(doc.root().find("s")->members().empty());
}

TEST(JsonValue, OutlivesAMoveOfItsDocument) {
    std::string text = R"({"a":"x\ny"})";
    Document first = parse(text).value();
    Value value = *first.root().find("a");
    Document second = std::move(first);
    EXPECT_EQ(value.as_string(), "x\ny");
    EXPECT_TRUE(Document().root().is_null());
    EXPECT_EQ(Document().root().raw(), "null");
}

// A value as a Document of its own reads as if its text had been parsed, and outlives the other.
TEST(JsonDocument, OfAValueReadsAsItsTextDoes) {
    const std::string text =
        R"({"n":[1,{"k":"\u0041\n","k\t":[[],{}]}],"s":"plain","e":"\"","x":null,"t":true,"i":-7})";
    std::optional<Document> whole(parse(text).value());
    std::vector<std::pair<std::string, Document>> parts;
    parts.reserve(8);  // the texts stay where they are
    for (const Member& member : whole->root().members()) {
        parts.emplace_back(member.value.raw(), Document());
        parts.back().second = *Document::of(member.value, parts.back().first);
        EXPECT_FALSE(Document::of(member.value, parts.back().first + " "));
    }
    parts.emplace_back(whole->root().raw(), Document());
    parts.back().second = *Document::of(whole->root(), parts.back().first);
    for (auto& [raw, document] : parts) document = *Document::of(document.root(), raw);
    whole.reset();
    for (const auto& [raw, document] : parts) {
        EXPECT_EQ(document.root().raw(), raw);
        EXPECT_EQ(document.root().raw().data(), raw.data());
        EXPECT_EQ(*canonicalize(document.root()), *canonicalize(parse(raw)->root()));
    }
    EXPECT_EQ(parts[0].second.root().elements()[1].string("k"), "A\n");
    EXPECT_EQ(parts[0].second.root().elements()[1].find("k\t")->elements()[1].size(), 0u);
    EXPECT_EQ(parts[2].second.root().as_string(), "\"");
}

}  // namespace
}  // namespace writ::json

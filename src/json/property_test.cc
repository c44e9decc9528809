// Properties over generated values and over damaged texts: what is written reads back, and two
// parsers agree.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>

#include "json/node.h"
#include "json/testing.h"
#include "json/utf8.h"

namespace writ::json {
namespace {

// Any text of Unicode scalar values, rich in the ones that need care.
rc::Gen<std::string> text_gen() {
    auto scalar = rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, 0x80),
                                 rc::gen::inRange<std::uint32_t>(0x80, 0xd800),
                                 rc::gen::inRange<std::uint32_t>(0xe000, 0x10000),
                                 rc::gen::inRange<std::uint32_t>(0x10000, 0x110000),
                                 rc::gen::element<std::uint32_t>('"', '\\', 0, 0x1f, 0x7f, 0xd7ff,
                                                                 0xe000, 0xffff, 0x10ffff));
    return rc::gen::map(rc::gen::container<std::vector<std::uint32_t>>(scalar),
                        [](const std::vector<std::uint32_t>& scalars) {
                            std::string out;
                            for (std::uint32_t c : scalars) append_utf8(out, c);
                            return out;
                        });
}

Node make_node(int depth) {
    switch (*rc::gen::inRange(0, depth > 3 ? 5 : 7)) {
        case 0:
            return nullptr;
        case 1:
            return *rc::gen::arbitrary<bool>();
        case 2:
            return *rc::gen::arbitrary<std::int64_t>();
        case 3:
            return *rc::gen::arbitrary<double>();
        case 4:
            return *text_gen();
        case 5: {
            Node out = Node::array();
            for (int n = *rc::gen::inRange(0, 5); n > 0; --n) out.push_back(make_node(depth + 1));
            return out;
        }
        default: {
            Node out = Node::object();
            for (int n = *rc::gen::inRange(0, 30); n > 0; --n)
                out[*text_gen()] = make_node(depth + 1);
            return out;
        }
    }
}

TEST(JsonProperty, WhatIsWrittenReadsBack) {
    EXPECT_TRUE(rc::check([] {
        std::string text = make_node(0).dump();
        Result<Document> doc = parse(text);
        RC_ASSERT(doc.has_value());
        RC_ASSERT(Node::from(doc->root()).dump() == text);
        std::string pretty = Node::from(doc->root()).pretty();
        Result<Document> again = parse(pretty);
        RC_ASSERT(again.has_value());
        RC_ASSERT(Node::from(again->root()).dump() == text);
    }));
}

TEST(JsonProperty, CanonicalFormIsAFixedPoint) {
    EXPECT_TRUE(rc::check([] {
        std::string text = make_node(0).dump();
        std::string once = canonicalize(parse(text).value().root()).value();
        std::string twice = canonicalize(parse(once).value().root()).value();
        RC_ASSERT(once == twice);
    }));
}

TEST(JsonProperty, EveryDoubleRoundTrips) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 100'000; ++i) {
        auto number = std::bit_cast<double>(random());
        if (!std::isfinite(number)) continue;
        std::string text = Node(number).dump();
        ASSERT_EQ(parse(text).value().root().as_double(), number) << text;
    }
}

TEST(JsonProperty, StringsRoundTrip) {
    EXPECT_TRUE(rc::check([] {
        std::string text = *text_gen();
        std::string quoted;
        append_string(quoted, text);
        Result<Document> doc = parse(quoted);
        RC_ASSERT(doc.has_value());
        RC_ASSERT(doc->root().as_string() == text);
    }));
}

TEST(JsonProperty, OrderOfNamesIsThatOfUtf16) {
    auto utf16 = [](std::string_view text) {
        std::u16string out;
        for (std::size_t at = 0; at < text.size();) {
            std::size_t n = utf8_sequence(text, at);
            auto lead = static_cast<std::uint8_t>(text[at]);
            std::uint32_t c = n == 1 ? lead : lead & (0x7fU >> n);
            for (std::size_t i = 1; i < n; ++i)
                c = c << 6 | (static_cast<std::uint8_t>(text[at + i]) & 0x3f);
            if (c >= 0x10000) {
                out.push_back(static_cast<char16_t>(0xd7c0 + (c >> 10)));
                c = 0xdc00 + (c & 0x3ff);
            }
            out.push_back(static_cast<char16_t>(c));
            at += n;
        }
        return out;
    };
    EXPECT_TRUE(rc::check([&] {
        std::string prefix = *text_gen();
        std::string a = prefix + *text_gen();
        std::string b = prefix + *text_gen();
        RC_ASSERT(utf16_less(a, b) == (utf16(a) < utf16(b)));
    }));
}

// Numbers that simdjson cannot hold are the one thing it refuses and we keep (as a lexeme).
bool has_wide_number(const Value& value) {
    if (value.is_number()) {
        std::string_view lexeme = value.raw();
        bool integer = lexeme.find_first_of(".eE") == std::string_view::npos;
        return integer ? lexeme.size() > 18 : !value.as_double();
    }
    for (const Value& element : value.elements()) {
        if (has_wide_number(element)) return true;
    }
    for (const Member& member : value.members()) {
        if (has_wide_number(member.value)) return true;
    }
    return false;
}

TEST(JsonProperty, AgreesWithSimdjsonOnDamagedTexts) {
    const std::string seed =
        R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file",)"
        R"("arguments":{"path":"/a\u00e9\ud83d\ude00",)"
        R"("n":[-1.5e+3,0,12,true,false,null,""],"o":{}}}})";
    const std::string_view splinters = "{}[]\",:\\u0129.eE+-dDtfn \n\t\x01\x7f\x80\xc3\xed\xa0\xf0";
    std::mt19937 random(11);
    int accepted = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string text = seed;
        for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
            std::size_t at = random() % text.size();
            char c = splinters[random() % splinters.size()];
            switch (random() % 3) {
                case 0:
                    text[at] = c;
                    break;
                case 1:
                    text.insert(at, 1, c);
                    break;
                default:
                    text.erase(at, 1 + random() % 3);
                    break;
            }
        }
        Result<Document> doc = parse(text);
        if (doc) {
            ++accepted;
            if (!has_wide_number(doc->root())) ASSERT_TRUE(simdjson_accepts(text)) << text;
        } else if (!doc.error().detail.starts_with("duplicate member")) {
            ASSERT_FALSE(simdjson_accepts(text)) << text << "\n" << doc.error().detail;
        }
    }
    EXPECT_GT(accepted, 1000) << "the damage is too heavy to test acceptance";
}

}  // namespace
}  // namespace writ::json

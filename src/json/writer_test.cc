#include "json/writer.h"

#include <gtest/gtest.h>

#include "json/node.h"

namespace writ::json {
namespace {

TEST(Writer, WritesWhatANodeWould) {
    Writer writer(8);  // so that it has to grow
    writer.open('{').key("a").open('[').comma().number(std::int64_t{-3}).comma().boolean(true);
    writer.close(']').key("b").open('{').close('}').member("c", "x\"y");
    writer.key(std::string_view("d\n")).verbatim("null").close('}');
    Node node = Node::object();
    node["a"].push_back(-3);
    node["a"].push_back(true);
    node["b"] = Node::object();
    node["c"] = "x\"y";
    node["d\n"] = nullptr;
    EXPECT_EQ(writer.take(), node.dump());
}

TEST(Writer, NumbersThatReadersRoundAreText) {
    Writer out(0);
    out.open('[').comma().number(kMaxSafeInteger).comma().number(kMaxSafeInteger + 1);
    out.comma().number(INT64_MIN);
    EXPECT_EQ(out.take(), "[9007199254740991,\"9007199254740992\",\"-9223372036854775808\"");
}

TEST(Writer, NumbersOfEveryLength) {
    for (std::int64_t size = 1; size <= kMaxSafeInteger / 10; size *= 10) {
        for (const std::int64_t n : {size, 10 * size - 1, 3 * size + size / 7, -size, -size - 9}) {
            EXPECT_EQ(Writer(0).number(n).take(), std::to_string(n));
        }
    }
    for (std::int64_t n = -1000; n <= 1000; ++n)
        EXPECT_EQ(Writer(0).number(n).take(), std::to_string(n));
}

// Every byte in every place and length around the blocks that are looked at together, with room to
// spare and with none.
TEST(Writer, TextIsWhatAppendStringWrites) {
    for (std::size_t size = 0; size <= 40; ++size) {
        for (std::size_t at = 0; at <= size; ++at) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, 'a');
                if (at < size) text[at] = static_cast<char>(byte);
                std::string expected;
                append_string(expected, text);
                EXPECT_EQ(Writer(size % 2 == 0 ? 256 : 0).text(text).take(), expected);
            }
        }
    }
}

TEST(Writer, NothingMayHaveNoAddress) {
    const std::string_view nothing;
    EXPECT_EQ(Writer(0).text(nothing).verbatim(nothing).take(), R"("")");
    EXPECT_EQ(Writer(0).open('{').key(nothing).text("a").close('}').take(), R"({"":"a"})");
}

TEST(Writer, IdsAndDigestsAreWrittenAsTheirTexts) {
    Uuid id;
    Sha256 digest;
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(7 * i);
    for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = digest[i + 3];
    EXPECT_EQ(Writer(0).hex(ByteView(digest).first(2)).take(), "\"0007\"");
    EXPECT_EQ(Writer(0).open('{').member("a", id).member("b", digest).close('}').take(),
              R"({"a":")" + id.text() + R"(","b":")" + digest_text(digest) + R"("})");
}

}  // namespace
}  // namespace writ::json

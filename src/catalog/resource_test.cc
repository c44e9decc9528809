// Templates: how a call's arguments become the uris it touches, and what is refused on the way.
#include "catalog/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/canonical.h"

namespace writ::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> map(std::string_view text, std::string_view arguments) {
    const auto parsed = Template::parse(text);
    EXPECT_TRUE(parsed) << parsed.error().detail;
    const auto document = json::parse(arguments);
    EXPECT_TRUE(document) << arguments;
    if (!parsed || !document) return {};
    const auto uris = parsed->uris(document->root());
    if (uris) return *uris;
    EXPECT_EQ(uris.error().code, ErrorCode::kInvalid);
    return {"refused: " + uris.error().detail};
}

TEST(Template, SubstitutesByPlace) {
    EXPECT_THAT(map("file://{path}", R"({"path":"/a/b","x":1})"), ElementsAre("file:///a/b"));
    EXPECT_THAT(map("file://{path}", R"({"path":"/"})"), ElementsAre("file:///"));
    EXPECT_THAT(map("file:///data/{p}", R"({"p":"x/y.md"})"), ElementsAre("file:///data/x/y.md"));
    EXPECT_THAT(map("git://{repo}", R"({"repo":"/srv/r"})"), ElementsAre("git:///srv/r"));
    EXPECT_THAT(map("git://{repo}", R"({"repo":"org/r"})"), ElementsAre("git://org/r"));
    EXPECT_THAT(map("issue://{o}/{n}/x", R"({"o":"a","n":"7"})"), ElementsAre("issue://a/7/x"));
    EXPECT_THAT(map("{url}", R"({"url":"https://x.y/z"})"), ElementsAre("https://x.y/z"));
    EXPECT_THAT(map("{url}", R"({"url":"https://x.y"})"), ElementsAre("https://x.y/"));
    EXPECT_THAT(map("memory/graph", "{}"), ElementsAre("memory/graph"));
}

TEST(Template, EveryElementOfAnArrayIsAResource) {
    EXPECT_THAT(map("file://{paths[]}", R"({"paths":["/a","/b"]})"),
                ElementsAre("file:///a", "file:///b"));
    for (const char* bad : {R"({"paths":["/a","/b/../c"]})", R"({"paths":["/a",1]})",
                            R"({"paths":[]})", R"({"paths":"/a"})", "{}", R"({"paths":[["/a"]]})"})
        EXPECT_THAT(map("file://{paths[]}", bad), ElementsAre(HasSubstr("argument `paths`")))
            << bad;
    std::string many = R"({"paths":["/a")";
    for (std::size_t i = 0; i < kMaxResourcesPerCall; ++i) many += R"(,"/a")";
    EXPECT_THAT(map("file://{paths[]}", many + "]}"), ElementsAre(HasSubstr("more than")));
}

TEST(Template, RefusesMissingAndForeignTypes) {
    EXPECT_THAT(map("file://{path}", "{}"), ElementsAre(HasSubstr("`path` is missing")));
    for (const char* value : {"null", "1", "true", "[]", "{}", R"(["/a"])"})
        EXPECT_THAT(map("file://{path}", std::string(R"({"path":)") + value + "}"),
                    ElementsAre(HasSubstr("`path` must be a string")))
            << value;
    EXPECT_THAT(map("file://{path}", R"({"Path":"/a"})"), ElementsAre(HasSubstr("is missing")));
}

TEST(Template, RefusesPathsThatAreNotCanonical) {
    for (const char* bad :
         {"/data/../etc/passwd", "/data/%2e%2e/x", "/data//x", "/data/x/", "data/x", "",
          "/data/x\\u0000", "/data\\\\x", "/data/\\u2025/x", "file:///x"})
        EXPECT_THAT(map("file://{path}", std::string(R"({"path":")") + bad + "\"}"),
                    ElementsAre(HasSubstr("not canonical")))
            << bad;
    for (const char* bad : {"../x", "/x", "x/../y", ".", "~", "x//y", "", "x/", "%2e%2e/y"})
        EXPECT_THAT(map("file:///data/{p}", std::string(R"({"p":")") + bad + "\"}"),
                    ElementsAre(HasSubstr("not canonical")))
            << bad;
}

TEST(Template, AValueCannotLeaveItsSegment) {
    for (const char* bad : {"", "a/b", "..", ".", "a?b", "a#b", "a%2fb", "a:b", "u@h", "a\\\\b"})
        EXPECT_THAT(map("api://x/{id}/read", std::string(R"({"id":")") + bad + "\"}"),
                    ElementsAre(HasSubstr("refused: argument `id`")))
            << bad;
    EXPECT_THAT(map("api://x/{id}", R"({"id":"a?admin=1"})"), ElementsAre(HasSubstr("`?`")));
    EXPECT_THAT(map("api://x/{id}", R"({"id":"a#b"})"), ElementsAre(HasSubstr("`#`")));
    // Only where it meets a literal does `.` become a segment `..`.
    EXPECT_THAT(map("api://x/.{id}", R"({"id":"a"})"), ElementsAre("api://x/.a"));
    EXPECT_THAT(map("api://x/.{id}/y", R"({"id":"."})"), ElementsAre(HasSubstr("refused")));
    EXPECT_THAT(map("{url}", R"({"url":"https://x.y@evil/"})"), ElementsAre(HasSubstr("user")));
}

TEST(Template, LongResourcesAreRefused) {
    const std::string half(kMaxUriBytes / 2, 'a');
    EXPECT_THAT(map("x://{a}/{b}", R"({"a":")" + half + R"(","b":")" + half + "\"}"),
                ElementsAre(HasSubstr("longer than")));
}

TEST(Template, RefusesUnreadableTextAndSaysWhatToWrite) {
    const auto refusal = [](std::string_view text) {
        const auto parsed = Template::parse(text);
        return parsed ? std::string("accepted") : parsed.error().detail;
    };
    EXPECT_THAT(refusal("file://{path"), HasSubstr("without its `}`"));
    EXPECT_THAT(refusal("file://path}"), HasSubstr("without its `{`"));
    EXPECT_THAT(refusal("file://{}"), HasSubstr("write `{path}`"));
    EXPECT_THAT(refusal("file://{a[0]}"), HasSubstr("write `{path}`"));
    EXPECT_THAT(refusal("x://{a}{b}"), HasSubstr("side by side"));
    EXPECT_THAT(refusal("x://{a[]}/{b[]}"), HasSubstr("two `[]`"));
    EXPECT_THAT(refusal("file://{path}/x"), HasSubstr("write `file://{path}`"));
    EXPECT_THAT(refusal("{scheme}://x"), HasSubstr("write the scheme"));
    EXPECT_THAT(refusal("/data/{path}"), HasSubstr("`file://` before it"));
    EXPECT_THAT(refusal("file:///data/*"), HasSubstr("[[domains]]"));
    EXPECT_THAT(refusal(""), HasSubstr("is empty"));
}

}  // namespace
}  // namespace writ::catalog

// Arguments that come with what their door has read of them.
#include "gate/fixture.h"

namespace writ::gate::test {
namespace {

// A call whose arguments the door found in `message`, as it finds them in a request.
Call read_by_door(const World& w, const identity::SessionPtr& by, const json::Document& message) {
    const json::Value arguments = *message.root().find("arguments");
    Call call = w.call(by, "files__read", std::string(arguments.raw()));
    call.read = arguments;
    return call;
}

TEST(GateArguments, ReadByTheDoorAreDecidedOnAlike) {
    World w;
    const auto session = w.session(w.task());
    const std::string text = R"({"id":1,"arguments":{"path" : "\u002fa"},"_meta":{}})";
    AdmissionPtr admission;
    {
        const json::Document message = json::parse(text).value();
        admission = w.allow(read_by_door(w, session, message));
    }
    ASSERT_TRUE(admission);
    EXPECT_EQ(admission->arguments(), R"({"path" : "\u002fa"})");
    EXPECT_TRUE(w.event("call.decided").has(R"("resource":"file:///a")"));
    w.close(admission);
    const json::Document bad = json::parse(R"({"arguments":{"path":"/a/../b"}})").value();
    EXPECT_EQ(w.refuse(read_by_door(w, session, bad)).verdict.code, "bad_argument");
}

// The bytes that are forwarded are the ones that count, whatever a door says it has read.
TEST(GateArguments, ReadOfOtherBytesAreReadAgain) {
    World w;
    const auto session = w.session(w.task());
    const json::Document other = json::parse(R"({"arguments":{"path":"/a"}})").value();
    Call call = read_by_door(w, session, other);
    call.arguments = R"({"path":"/b"})";
    AdmissionPtr admission = w.allow(std::move(call));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(w.event("call.decided").has(R"("resource":"file:///b")"));
    w.close(admission);
    Call doubled = read_by_door(w, session, other);
    doubled.arguments = R"({"path":"/a","path":"/b"})";
    EXPECT_EQ(w.refuse(std::move(doubled)).kind, RefusalKind::kInvalid);
}

}  // namespace
}  // namespace writ::gate::test

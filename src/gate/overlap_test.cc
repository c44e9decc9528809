// Which calls may leave before their decision is durable: the rule is a list of refusals.
#include "gate/overlap.h"

#include <gtest/gtest.h>

#include <string>

#include "gate/fixture.h"
#include "json/value.h"

namespace writ::gate {
namespace {

catalog::Tool tool(std::string properties, std::string more = "") {
    catalog::Tool out;
    out.server = "files";
    out.name = "read";
    out.effect = catalog::Effect::kRead;
    out.rule.effect = catalog::Effect::kRead;
    out.input_schema = R"({"type":"object","properties":{)" + properties + "}" + more + "}";
    return out;
}
const std::string kPath = R"("path":{"type":"string"})";

TEST(Overlap, ADeclaredReadOfPlainArgumentsMay) {
    EXPECT_TRUE(may_overlap(tool(kPath)));
    EXPECT_TRUE(may_overlap(tool("")));
    EXPECT_TRUE(
        may_overlap(tool(R"("lines":{"type":"array","items":{"type":"integer"}},)"
                         R"("o":{"type":"object","properties":{"deep":{"type":"boolean"}}})")));
    EXPECT_TRUE(may_overlap(
        tool(R"("day":{"type":"string","format":"date"})", R"(,"additionalProperties":false)")));
}

TEST(Overlap, NobodyElse) {
    catalog::Tool undeclared = tool(kPath);
    undeclared.rule.effect.reset();
    EXPECT_FALSE(may_overlap(undeclared));
    catalog::Tool raised = tool(kPath);
    raised.effect = catalog::Effect::kWrite;
    EXPECT_FALSE(may_overlap(raised));
    catalog::Tool write = raised;
    write.rule.effect = catalog::Effect::kWrite;
    EXPECT_FALSE(may_overlap(write));
    catalog::Tool changed = tool(kPath);
    changed.changed = true;
    EXPECT_FALSE(may_overlap(changed));
    catalog::Tool remote = tool(kPath);
    remote.rule.resource = "https://{path}";
    EXPECT_FALSE(may_overlap(remote));
    catalog::Tool vague = tool(kPath);
    vague.input_schema = "{}";
    EXPECT_FALSE(may_overlap(vague));
}

TEST(Overlap, NoArgumentThatMayNameAPlace) {
    for (const char* properties :
         {R"("url":{"type":"string"})", R"("sourceUrl":{"type":"string"})",
          R"("base_url":{"type":"string"})", R"("HOST":{"type":"string"})",
          R"("a":{"type":"string","format":"uri"})", R"("a":{"type":"string","format":"hostname"})",
          R"("a":{"type":"string","format":7})", R"("a":{})", R"("a":true)",
          R"("a":{"type":["string","null"]})", R"("a":{"$ref":"#/x"})", R"("a":{"type":"object"})",
          R"("a":{"type":"string","anyOf":[]})", R"("a":{"type":"array"})",
          R"("a":{"type":"object","properties":{"callback":{"type":"string"}}})",
          R"("a":{"type":"object","properties":{},"patternProperties":{}})"})
        EXPECT_FALSE(may_overlap(tool(properties))) << properties;
}

TEST(Overlap, NorAnArgumentThatLooksLikeOne) {
    for (const char* text :
         {R"({"path":"http://evil"})", R"({"path":"//evil/x"})", R"({"path":"\\\\evil\\x"})",
          R"({"path":"file:/x"})", R"({"q":["a",{"b":"ftp://x"}]})", R"({"q":"me@evil"})",
          R"({"q":"www.evil"})", R"({"hidden_url":"x"})", R"({"q":"data:x"})"}) {
        const auto arguments = json::parse(text);
        EXPECT_TRUE(names_a_place(arguments->root())) << text;
    }
    for (const char* text :
         {R"({"path":"/a/b.txt","n":7,"q":"is it 10:30?"})", "{}", R"({"path":"C:\\x"})"}) {
        const auto arguments = json::parse(text);
        EXPECT_FALSE(names_a_place(arguments->root())) << text;
    }
}

}  // namespace
}  // namespace writ::gate

namespace writ::gate::test {
namespace {

// Architecture, rule 1: only a declared read leaves before its decision is durable, and its answer
// waits; nothing else ever does.
TEST(GateOverlap, AReadLeavesMeanwhileAndItsAnswerWaitsForTheDisk) {
    World w;
    const auto session = w.session(w.task());
    w.ledger.hold();
    AdmissionPtr admission = w.allow(w.call(session, "files__lookup"));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(admission->depart());
    std::optional<Result<std::string>> released;
    w.reactor[0]->spawn(chunk_into(admission.get(), "answer", &released));
    w.run_until([&] { return w.ledger.waiting() > 0; });
    w.run(w.reactor[0]->sleep(net::Millis(20)));
    EXPECT_FALSE(released) << "the answer of an undurable decision was released";
    w.ledger.release();
    w.run_until([&] { return released.has_value(); });
    EXPECT_EQ(released->value(), "answer");
    EXPECT_FALSE(admission->receipt().event.is_nil());
    w.close(admission);
}

TEST(GateOverlap, ADecisionThatIsNeverDurableDropsTheAnswer) {
    World w;
    const auto task = w.task();
    const auto session = w.session(task);
    w.ledger.hold();
    AdmissionPtr admission = w.allow(w.call(session, "files__lookup"));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(admission->depart());
    w.ledger.fail_from_now();
    w.ledger.release();
    const auto released = w.run(admission->chunk("answer"));
    ASSERT_FALSE(released);
    EXPECT_EQ(released.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(w.run(admission->rest()));
    Outcome outcome{.status = Status_::kOk, .error = "", .output = "answer"};
    const auto closed = w.run(admission->close(std::move(outcome)));
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().code, ErrorCode::kUnavailable);
    w.ledger.repair();
    EXPECT_TRUE(w.events("call.ended").empty()) << "an end without a decision";
    EXPECT_EQ(w.run(w.gate->spent(task->id)).calls, 1) << "it may have left, so it counts";
}

TEST(GateOverlap, NothingElseLeavesBeforeItsDecisionIsDurable) {
    World w;
    const auto session = w.session(w.task());
    w.ledger.hold();
    std::optional<Answer> write, place;
    w.reactor[0]->spawn(answer_into(w.gate.get(), w.call(session, "files__read"), &write));
    w.reactor[0]->spawn(answer_into(
        w.gate.get(), w.call(session, "files__lookup", R"({"path":"http://evil"})"), &place));
    w.run_until([&] { return w.ledger.waiting() > 0; });
    w.run(w.reactor[0]->sleep(net::Millis(20)));
    EXPECT_FALSE(write);
    EXPECT_FALSE(place);
    w.ledger.release();
    w.run_until([&] { return write.has_value() && place.has_value(); });
}

}  // namespace
}  // namespace writ::gate::test

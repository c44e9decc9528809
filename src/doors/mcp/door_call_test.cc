// Defends: the way of one tools/call. Decided before a byte leaves, recorded before it is answered,
// refused in the words of docs/architecture.md, and nothing of a refused call at the tool server.
#include <gtest/gtest.h>

#include <string>

#include "doors/mcp/fake_http_server.h"
#include "doors/mcp/test_door.h"

namespace writ::mcp {
namespace {

using gate::RefusalKind;
using testing_gate::Journal;

const std::string kCallMeta =
    R"("_meta":{"dev.writ/call":"01a209c1-6900-7043-aa71-8774c572bd8a","dev.writ/receipt":)"
    R"({"event":"01a209c1-6900-7043-aa71-8774c572bd8a","index":7,"leaf":"sha256:)" +
    std::string(64, '0') + R"(","origin":"test.example/log"}})";

class CallTest : public DoorTest {
  protected:
    void SetUp() override {
        DoorTest::SetUp();
        open();
        gate_.journal.clear();
    }
    void serve(const std::string& mode, DoorOptions options = {}) {
        make(mode, std::move(options));
        open();
        gate_.journal.clear();
    }
    gate::Refusal refusal(RefusalKind kind, std::string advice = "because") {
        gate::Refusal r;
        r.kind = kind;
        r.advice = std::move(advice);
        r.call = gate_.id;
        return r;
    }
};

TEST_F(CallTest, IsAdmittedDepartsIsForwardedRecordedAnsweredInThisOrder) {
    const auto response =
        call(R"({"name":"fs__a","arguments":{ "n" : 1.0, "e":1e400 },"_meta":{"x.y/k":"secret"}})");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body,
              R"({"jsonrpc":"2.0","id":"c-1","result":{"content":[],"structuredContent":)"
              R"({ "n" : 1.0, "e":1e400 },)" +
                  kCallMeta + "}}");
    EXPECT_EQ(gate_.journal, (Journal{"admit", "depart", "chunk", "close ok", "send 200"}));
    ASSERT_EQ(gate_.calls.size(), 1u);
    EXPECT_EQ(gate_.calls[0].door, "mcp");
    EXPECT_EQ(gate_.calls[0].tool, "fs__a");
    EXPECT_EQ(gate_.calls[0].arguments, R"({ "n" : 1.0, "e":1e400 })");
    EXPECT_EQ(gate_.calls[0].session, session_);
    ASSERT_EQ(gate_.outcomes.size(), 1u);
    EXPECT_EQ(gate_.outcomes[0].output,
              R"({"content":[],"structuredContent":{ "n" : 1.0, "e":1e400 }})");
    // Of the client's message only the arguments travel on.
    EXPECT_EQ(received().find("secret"), std::string::npos);
    EXPECT_NE(received().find(R"("name":"a","arguments":{ "n" : 1.0, "e":1e400 }}})"),
              std::string::npos);
}

TEST_F(CallTest, AbsentArgumentsAreAnEmptyObject) {
    EXPECT_EQ(call(R"({"name":"fs__a"})").status, 200);
    EXPECT_EQ(gate_.calls.at(0).arguments, "{}");
}

TEST_F(CallTest, ParametersThatAreNoneNeverReachTheGate) {
    const std::string table[] = {
        "{}",
        R"({"name":7})",
        R"({"name":null})",
        R"({"name":")" + std::string(kMaxToolNameBytes + 1, 'x') + R"("})",
        R"({"name":"fs__a","arguments":[]})",
        R"({"name":"fs__a","arguments":null})",
        R"({"name":"fs__a","arguments":"{}"})",
        R"({"name":"fs__a","_meta":[]})",
    };
    for (const auto& params : table) {
        const auto response = call(params);
        EXPECT_EQ(response.status, 200);
        EXPECT_NE(response.body.find("\"code\":-32602"), std::string::npos) << params;
    }
    EXPECT_TRUE(gate_.calls.empty());
    EXPECT_EQ(received(), "");
}

// We declare no capability for tasks, so asking for one changes nothing (2025-11-25, "Tasks").
TEST_F(CallTest, AskingForATaskIsIgnored) {
    for (const std::string task : {R"({"ttl":60000})", "{}", "null", "7"}) {
        const auto response =
            call(R"({"name":"fs__a","task":)" + task + R"(,"arguments":{"n":1}})");
        EXPECT_EQ(response.status, 200);
        EXPECT_TRUE(response.body.starts_with(R"({"jsonrpc":"2.0","id":"c-1","result":{)"))
            << response.body;
        EXPECT_NE(response.body.find(R"("structuredContent":{"n":1})"), std::string::npos);
        EXPECT_EQ(response.body.find("task"), std::string::npos) << response.body;
        EXPECT_EQ(gate_.calls.back().arguments, R"({"n":1})");
        EXPECT_EQ(gate_.outcomes.back().status, gate::Status_::kOk);
    }
    EXPECT_EQ(gate_.calls.size(), 4u);
    EXPECT_EQ(testing_peer::count(received(), R"("method":"tools/call")"), 4u);
    EXPECT_EQ(received().find("task"), std::string::npos);
    EXPECT_EQ(received().find("ttl"), std::string::npos);
}

TEST_F(CallTest, TheClientsTraceIsAPeerOnlyIfItIsOne) {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    (void)call(R"({"name":"fs__a","_meta":{"traceparent":")" + good + R"("}})");
    EXPECT_EQ(gate_.calls.back().trace.peer, good);
    EXPECT_TRUE(gate_.calls.back().trace.valid());
    EXPECT_NE(to_hex(gate_.calls.back().trace.trace_id), good.substr(3, 32));  // never the parent
    const std::string table[] = {"x", good.substr(1), good + std::string(300, '0'),
                                 "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    for (const auto& bad : table) {
        (void)call(R"({"name":"fs__a","_meta":{"traceparent":")" + bad + R"("}})");
        EXPECT_EQ(gate_.calls.back().trace.peer, "") << bad;
    }
}

TEST_F(CallTest, UnknownAndUngrantedToolsAnswerAlike) {
    gate_.refuse = refusal(RefusalKind::kUnknown, "not granted: policy internals");
    const auto ungranted = call(R"({"name":"fs__secret","arguments":{"leak":1}})");
    gate_.refuse->call.reset();
    gate_.refuse->advice = "no such tool";
    const auto unknown = call(R"({"name":"fs__secret","arguments":{"leak":1}})");
    EXPECT_EQ(ungranted.status, unknown.status);
    EXPECT_EQ(ungranted.body, unknown.body);
    EXPECT_TRUE(ungranted.headers == unknown.headers);
    EXPECT_EQ(ungranted.body, R"({"jsonrpc":"2.0","id":"c-1","error":{"code":-32602,)"
                              R"("message":"Unknown tool: fs__secret"}})");
    EXPECT_EQ(received(), "");
}

TEST_F(CallTest, ForbiddenIsAToolErrorWithAdvice) {
    gate_.refuse = refusal(RefusalKind::kForbidden, "outside of /srv/\"x\"");
    const auto response = call(R"({"name":"fs__a","arguments":{"leak":1}})");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"jsonrpc":"2.0","id":"c-1","result":{"_meta":{"dev.writ/call":)"
                             R"("01a209c1-6900-7043-aa71-8774c572bd8a"},"content":[{"text":)"
                             R"("outside of /srv/\"x\"","type":"text"}],"isError":true}})");
    EXPECT_EQ(received(), "");
}

TEST_F(CallTest, InvalidArgumentsAreBadParams) {
    gate_.refuse = refusal(RefusalKind::kInvalid, "`path` is not canonical");
    EXPECT_EQ(call(R"({"name":"fs__a"})").body,
              R"({"jsonrpc":"2.0","id":"c-1","error":{"code":-32602,)"
              R"("message":"`path` is not canonical"}})");
    EXPECT_EQ(received(), "");
}

TEST_F(CallTest, WhatCannotBeRecordedIsNotDone) {
    gate_.refuse = refusal(RefusalKind::kUnrecordable);
    const auto response = call(R"({"name":"fs__a"})");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, R"({"jsonrpc":"2.0","id":"c-1","error":{"code":-32603,"message":)"
                             R"("the evidence log cannot be written; nothing was done"}})");
    EXPECT_EQ(received(), "");
}

TEST_F(CallTest, AnUnauthenticatedCallIsChallenged) {
    gate_.refuse = refusal(RefusalKind::kUnauthenticated);
    const auto response = call(R"({"name":"fs__a"})");
    EXPECT_EQ(response.status, 401);
    EXPECT_TRUE(response.headers.get("www-authenticate").has_value());
    EXPECT_EQ(received(), "");
}

TEST_F(CallTest, AHeldCallSaysThatAPersonMustApprove) {
    gate_.park = true;
    const auto response = call(R"({"name":"fs__a"})");
    EXPECT_NE(response.body.find("\"isError\":true"), std::string::npos);
    EXPECT_NE(response.body.find("approve"), std::string::npos);
    EXPECT_EQ(received(), "");
}

// Revoked between decision and departure: the task is dead, so 401, and not a byte left.
TEST_F(CallTest, ATaskRevokedBeforeDepartureSendsNothing) {
    gate_.script.depart = [this] {
        end_task(identity::TaskState::kRevoked);
        return Status(fail(ErrorCode::kUnauthenticated, "revoked"));
    };
    const auto response = call(R"({"name":"fs__a","arguments":{"leak":1}})");
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(gate_.journal, (Journal{"admit", "depart", "close blocked", "send 401"}));
    EXPECT_EQ(received().find("leak"), std::string::npos);
    EXPECT_TRUE(reactor_.run_until(
        testing_peer::eventually(&reactor_, [this] { return upstreams_->instances() == 0; })));
}

TEST_F(CallTest, APolicySwappedBeforeDepartureForbids) {
    gate_.script.depart = [] { return Status(fail(ErrorCode::kForbidden, "new policy")); };
    const auto response = call(R"({"name":"fs__a","arguments":{"leak":1}})");
    EXPECT_EQ(response.status, 200);
    EXPECT_NE(response.body.find("not permitted any more"), std::string::npos);
    EXPECT_EQ(gate_.outcomes.at(0).status, gate::Status_::kBlocked);
    EXPECT_EQ(received().find("leak"), std::string::npos);
}

// A server that took the call and then says that it knows no such session is not believed: the
// call left once, so nobody can say that nothing was sent.
TEST_F(CallTest, WhatLeftOnceAndMayNotLeaveAgainIsOfUnknownOutcome) {
    testing_peer::FakeHttpServer web(reactor_, "forget");
    catalog::ServerSpec spec;
    spec.name = "fs";
    spec.url = web.url;
    make(std::move(spec));
    open();
    gate_.journal.clear();
    gate_.script.depart = [departures = 0]() mutable -> Status {
        if (++departures > 1) return fail(ErrorCode::kForbidden, "new policy");
        return {};
    };
    const auto response = call(R"({"name":"fs__a","arguments":{"k":1}})");
    EXPECT_EQ(web.calls, 1);
    EXPECT_EQ(gate_.journal, (Journal{"admit", "depart", "depart", "close unknown", "send 200"}));
    EXPECT_NE(response.body.find("may have taken effect"), std::string::npos) << response.body;
    EXPECT_EQ(response.body.find("nothing was sent"), std::string::npos) << response.body;
    reactor_.run_until(upstreams_->close());
    EXPECT_TRUE(reactor_.run_until(
        testing_peer::eventually(&reactor_, [&web] { return web.count("DELETE") == 1; })));
}

// Ended while the tool worked: the effect is recorded, the output goes to nobody.
TEST_F(CallTest, ATaskEndedMeanwhileGetsNoOutput) {
    gate_.script.chunk = [this](std::string) -> Result<std::string> {
        end_task(identity::TaskState::kEnded);
        return fail(ErrorCode::kUnauthenticated, "dead");
    };
    const auto response = call(R"({"name":"fs__a","arguments":{"private":1}})");
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(response.body.find("private"), std::string::npos);
    EXPECT_EQ(gate_.outcomes.at(0).status, gate::Status_::kBlocked);
}

TEST_F(CallTest, AnOutcomeThatCannotBeRecordedIsWithheld) {
    gate_.script.close = [] { return Status(fail(ErrorCode::kUnavailable, "disk full")); };
    const auto response = call(R"({"name":"fs__a","arguments":{"private":1}})");
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body.find("private"), std::string::npos);
    EXPECT_NE(response.body.find("the call was made"), std::string::npos);
    gate_.script.close = [] { return Status(fail(ErrorCode::kCancelled, "deadline")); };
    const auto late = call(R"({"name":"fs__a","arguments":{"private":1}})");
    EXPECT_EQ(late.status, 200);
    EXPECT_NE(late.body.find("\"isError\":true"), std::string::npos);
    EXPECT_EQ(late.body.find("private"), std::string::npos);
}

TEST_F(CallTest, ObservedOutputIsWhatGoesBack) {
    gate_.script.chunk = [](std::string) {
        return Result<std::string>(R"({"content":[{"type":"text","text":"[redacted]"}]})");
    };
    const auto response = call(R"({"name":"fs__a","arguments":{"private":1}})");
    EXPECT_NE(response.body.find("[redacted]"), std::string::npos);
    EXPECT_EQ(response.body.find("private"), std::string::npos);
    EXPECT_NE(gate_.outcomes.at(0).output.find("[redacted]"), std::string::npos);
}

// 2025-11-25: a client that hangs up has not cancelled.
TEST_F(CallTest, AClientThatLeavesIsFinishedAndRecordedAllTheSame) {
    peer_gone_ = true;
    (void)call(R"({"name":"fs__a"})");
    EXPECT_EQ(gate_.journal, (Journal{"admit", "depart", "chunk", "close ok", "send 200"}));
}

TEST_F(CallTest, OutcomesAreRecordedAsWhatTheyAre) {
    struct Case {
        const char* mode;
        gate::Status_ status;
        const char* said;
    };
    DoorOptions brief;
    brief.call_timeout = net::Millis(300);
    const Case table[] = {
        {"toolerror", gate::Status_::kToolError, R"("isError":true,"_meta")"},
        {"rpcerror", gate::Status_::kProtocolError,
         R"("error":{"code":-32000,"message":"boom","data":{"k":1}}})"},
        {"hang", gate::Status_::kTimeout, "may have taken effect"},
        {"dies", gate::Status_::kUnknown, "may have taken effect"},
        {"badresult", gate::Status_::kProtocolError, "may have taken effect"},
        {"badflag", gate::Status_::kProtocolError, "not valid"},
        {"stillborn", gate::Status_::kProtocolError, "nothing was sent"},
        {"meta", gate::Status_::kOk, R"({"_meta":{"theirs":1,"dev.writ/call":)"},
        {"lexemes", gate::Status_::kOk, R"("structuredContent":{"n":1e400, "z":1.0})"},
    };
    for (const auto& c : table) {
        gate_.outcomes.clear();
        serve(c.mode, brief);
        const auto response = call(R"({"name":"fs__a"})");
        EXPECT_EQ(response.status, 200) << c.mode;
        EXPECT_NE(response.body.find(c.said), std::string::npos) << c.mode << response.body;
        ASSERT_EQ(gate_.outcomes.size(), 1u) << c.mode;
        EXPECT_EQ(gate_.outcomes[0].status, c.status) << c.mode;
        EXPECT_EQ(response.body.find("forged"), std::string::npos);
        EXPECT_EQ(response.body.find("cannot find module"), std::string::npos);  // its stderr
    }
}

// Error -32042 asks a client to show its person a link. Nothing a server asks of it is relayed.
TEST_F(CallTest, ALinkForThePersonIsRefusedAndRecordedLikeEveryRequestOfAServer) {
    serve("signin");
    const auto response = call(R"({"name":"fs__a"})");
    EXPECT_EQ(response.status, 200);
    EXPECT_NE(response.body.find("\"isError\":true"), std::string::npos) << response.body;
    EXPECT_EQ(response.body.find("32042"), std::string::npos) << response.body;
    EXPECT_EQ(response.body.find("phish"), std::string::npos) << response.body;
    EXPECT_EQ(gate_.journal, (Journal{"admit", "depart", "chunk", "inward elicitation/create",
                                      "close protocol_error", "send 200"}));
    ASSERT_EQ(gate_.inward.size(), 1u);
    EXPECT_NE(gate_.inward[0].params.find(R"({"elicitations":[{"mode":"url")"), std::string::npos);
    EXPECT_EQ(gate_.outcomes.at(0).output, "");
}

TEST_F(CallTest, AToolOfAServerNobodyConfiguredIsNotAvailable) {
    gate_.script.server = "elsewhere";
    const auto response = call(R"({"name":"elsewhere__a"})");
    EXPECT_NE(response.body.find("not available; nothing was sent"), std::string::npos);
    EXPECT_EQ(gate_.journal, (Journal{"admit", "close protocol_error", "send 200"}));
}

}  // namespace
}  // namespace writ::mcp

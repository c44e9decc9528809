// Writs: what they say, and every way in which a presented one is refused (docs/spec/writ.md).
#include "identity/writ_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/hash.h"
#include "identity/limits.h"
#include "identity/testing.h"
#include "jose/jws.h"

namespace writ::identity {
namespace {

using testing::child_of;
using ::testing::HasSubstr;
using testing::kStart_us;
using ::testing::Not;
using testing::spec_of;
using testing::World;

constexpr std::int64_t kStart_s = kStart_us / kSecond_us;

// A world with one bearer session, and the means to forge.
struct Bearer : World {
    TaskPtr task = start();
    SessionPtr session = open(task);
    std::string token = directory.writ(*session);

    std::string kid() const {
        jose::Jwk jwk{key.public_key(), ""};
        return jwk.thumbprint();
    }
    // The session's own claims, each changed one way, signed with the issuer's real key.
    std::string signed_with(std::string_view member, const json::Node& value,
                            std::string_view type = kWritType) {
        const std::string claims =
            writ_claims(*session, {options.issuer, options.audience}, clock.now_us());
        const auto document = json::parse(claims);
        json::Node node = json::Node::from(document->root());
        if (!member.empty()) node[member] = value;
        return jose::sign_es256(key, kid(), type, node.dump());
    }
    std::string refusal(std::string_view presented) {
        const auto result = directory.authenticate(presented);
        if (result) return "accepted";
        EXPECT_EQ(result.error().code, ErrorCode::kUnauthenticated);
        for (std::size_t at = 0; at + 12 < presented.size(); at += 12)
            EXPECT_THAT(result.error().detail, Not(HasSubstr(presented.substr(at, 12))));
        return result.error().detail;
    }
};

// A parsed text with the text it refers to.
struct Parsed {
    std::string text;
    json::Document document;
    json::Value root() const { return document.root(); }
};

std::unique_ptr<Parsed> claims_of(std::string text) {
    auto out = std::make_unique<Parsed>();
    out->text = std::move(text);
    auto document = json::parse(out->text);
    EXPECT_TRUE(document);
    if (document) out->document = std::move(*document);
    return out;
}

TEST(WritClaims, SayWhoForWhomAndWhat) {
    World w;
    auto spec = spec_of({"fs/read", "git/*"}, {"work"});
    spec.budget.calls = 40;
    spec.grants[0].when = "context.input.n < 3";
    spec.grants.push_back({{"mail/send"}, {}, "", kStart_s + 60});
    const auto session = w.open(w.start(spec));
    const std::string text = writ_claims(*session, {"iss", "aud"}, w.clock.now_us());
    const auto document = claims_of(text);
    const json::Value claims = document->root();
    EXPECT_EQ(claims.string("iss"), "iss");
    EXPECT_EQ(claims.string("aud"), "aud");
    EXPECT_EQ(claims.i64("iat"), kStart_s);
    EXPECT_EQ(claims.i64("nbf"), kStart_s);
    EXPECT_EQ(claims.i64("exp"), kStart_s + kWritLifetime_s);
    EXPECT_EQ(claims.string("jti"), session->writ.text());
    EXPECT_EQ(claims.string("sub"), "person:alice");
    EXPECT_EQ(claims.string("client_id"), "spiffe://example.org/agent/planner");
    EXPECT_EQ(claims.find("act")->raw(),
              R"({"sub":"spiffe://example.org/agent/planner/run/)" + session->id.text() + "\"}");
    EXPECT_EQ(claims.find("authorization_details")->raw(),
              R"([{"domains":["work"],"max_calls":40,"not_after":1790003600,)"
              R"("tools":["fs/read","git/*"],"type":"writ_task","when_hash":")" +
                  digest_text(crypto::sha256("context.input.n < 3")) +
                  R"("},{"max_calls":40,"not_after":1790000060,"tools":["mail/send"],)"
                  R"("type":"writ_task"}])");
    const auto about = claims.find(kTaskClaim);
    EXPECT_EQ(about->string("id"), session->task->id.text());
    EXPECT_EQ(about->string("root"), session->task->id.text());
    EXPECT_EQ(about->string("parent"), std::nullopt);
    EXPECT_EQ(about->i64("depth"), 0);
    EXPECT_EQ(about->string("purpose_hash"), digest_text(crypto::sha256("fix the build")));
    EXPECT_EQ(claims.string(kSessionClaim), session->id.text());
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(text, Not(HasSubstr("fix the build")));
}

TEST(WritClaims, AChainNestsTheActorsNearestOutermost) {
    World w;
    const auto root = w.start();
    const auto child = w.start(child_of(root), root);
    const auto session = w.open(w.start(child_of(child), child));
    const auto document = claims_of(writ_claims(*session, {"i", "a"}, w.clock.now_us()));
    const json::Value claims = document->root();
    EXPECT_EQ(claims.string("sub"), "person:alice");
    EXPECT_EQ(claims.find("act")->find("act")->raw(),
              R"({"act":{"sub":"spiffe://example.org/agent/planner"},)"
              R"("sub":"spiffe://example.org/agent/coder"})");
    EXPECT_EQ(claims.find(kTaskClaim)->string("parent"), child->id.text());
    EXPECT_EQ(claims.find(kTaskClaim)->string("root"), root->id.text());
}

TEST(WritClaims, AnAutonomousAgentIsItsOwnSubject) {
    World w;
    auto spec = spec_of();
    spec.subject = "agent:planner";
    const auto root = w.start(spec);
    const auto alone = claims_of(writ_claims(*w.open(root), {"i", "a"}, w.clock.now_us()));
    EXPECT_EQ(alone->root().string("sub"), "spiffe://example.org/agent/planner");
    EXPECT_FALSE(alone->root().find("act"));
    const auto session = w.open(w.start(child_of(root), root));
    const auto below = claims_of(writ_claims(*session, {"i", "a"}, w.clock.now_us()));
    EXPECT_EQ(below->root().string("sub"), "spiffe://example.org/agent/planner");
    EXPECT_EQ(below->root().find("act")->size(), 1u);
}

TEST(Authenticate, AcceptsItsOwnWritAndKnowsTheSession) {
    Bearer b;
    const auto session = b.directory.authenticate(b.token);
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_EQ(*session, b.session);
    EXPECT_EQ(b.refusal(b.signed_with("", {})), "accepted");  // the forger's tool is sound
    const auto document = claims_of(b.directory.jwks().dump());
    ASSERT_EQ(document->root().find("keys")->size(), 1u);
    EXPECT_EQ(document->root().find("keys")->elements()[0].string("kid"), b.kid());
    EXPECT_FALSE(document->root().find("keys")->elements()[0].find("d"));
}

TEST(Authenticate, RefusesAnExpiredWrit) {
    Bearer b;
    b.advance_s(kWritLifetime_s - 1);
    EXPECT_EQ(b.refusal(b.token), "accepted");
    b.advance_s(1);
    EXPECT_THAT(b.refusal(b.token), HasSubstr("expired"));
}

TEST(Authenticate, RefusesAnExpiredWritThoughTheWallClockStepsBack) {
    Bearer b;
    b.advance_s(kWritLifetime_s - 10);
    ASSERT_TRUE(b.directory.renew(b.session));  // the session lives on, this writ does not
    b.advance_s(10);
    b.clock.step_wall_us(-kWritLifetime_s * kSecond_us);
    EXPECT_THAT(b.refusal(b.token), HasSubstr("the writ has expired"));
    EXPECT_EQ(b.refusal(b.directory.writ(*b.session)), "accepted");
}

TEST(Authenticate, RefusesALongWritOfASessionThatWasNotRenewed) {
    Bearer b;
    const std::string token = b.signed_with("exp", kStart_s + 86'400);
    b.advance_s(kWritLifetime_s);
    EXPECT_THAT(b.refusal(token), HasSubstr("the session has expired"));
}

TEST(Authenticate, RefusesAWritThatIsNotValidYet) {
    Bearer b;
    EXPECT_EQ(b.refusal(b.signed_with("nbf", kStart_s + kWritSkew_s)), "accepted");
    EXPECT_THAT(b.refusal(b.signed_with("nbf", kStart_s + kWritSkew_s + 1)),
                HasSubstr("not valid yet"));
}

TEST(Authenticate, RefusesForeignKeys) {
    Bearer b;
    const std::string claims =
        writ_claims(*b.session, {b.options.issuer, b.options.audience}, b.clock.now_us());
    const auto foreign = crypto::Es256Key::generate();
    EXPECT_NE(b.refusal(jose::sign_es256(foreign, b.kid(), kWritType, claims)), "accepted");
    EXPECT_NE(b.refusal(jose::sign_es256(foreign, "other", kWritType, claims)), "accepted");
    EXPECT_NE(b.refusal(jose::sign_es256(b.key, "other", kWritType, claims)), "accepted");
    Bearer other;  // another gateway with the same names
    EXPECT_NE(b.refusal(other.token), "accepted");
}

TEST(Authenticate, RefusesOtherIssuersAudiencesAndTypes) {
    Bearer b;
    EXPECT_THAT(b.refusal(b.signed_with("iss", "http://127.0.0.1:7421")), HasSubstr("`iss`"));
    EXPECT_THAT(b.refusal(b.signed_with("iss", nullptr)), HasSubstr("`iss`"));
    EXPECT_THAT(b.refusal(b.signed_with("aud", "http://127.0.0.1:7420/mcp/x")), HasSubstr("`aud`"));
    json::Node both = json::Node::array();
    both.push_back(b.options.audience);
    EXPECT_THAT(b.refusal(b.signed_with("aud", both)), HasSubstr("`aud`"));
    EXPECT_NE(b.refusal(b.signed_with("", {}, "JWT")), "accepted");
    EXPECT_NE(b.refusal(b.signed_with("", {}, "dpop+jwt")), "accepted");
}

TEST(Authenticate, RefusesClaimsOfTheWrongShape) {
    Bearer b;
    EXPECT_THAT(b.refusal(b.signed_with("exp", "1790000300")), HasSubstr("`exp`"));
    EXPECT_THAT(b.refusal(b.signed_with("nbf", nullptr)), HasSubstr("`nbf`"));
    EXPECT_THAT(b.refusal(b.signed_with("jti", 7)), HasSubstr("names no task"));
    EXPECT_THAT(b.refusal(b.signed_with(kTaskClaim, "x")), HasSubstr("names no task"));
    EXPECT_THAT(b.refusal(b.signed_with(kSessionClaim, "..")), HasSubstr("names no task"));
    EXPECT_NE(b.refusal(jose::sign_es256(b.key, b.kid(), kWritType, "[1]")), "accepted");
    EXPECT_NE(b.refusal(jose::sign_es256(b.key, b.kid(), kWritType, R"({"iss":1,"iss":2})")),
              "accepted");
}

TEST(Authenticate, RefusesUnknownSessionsAndMixedUpIds) {
    Bearer b;
    const auto unknown = b.ids.mint<SessionId>().text();
    EXPECT_THAT(b.refusal(b.signed_with(kSessionClaim, unknown)), HasSubstr("not known"));
    const auto second = b.open(b.task);
    EXPECT_THAT(b.refusal(b.signed_with(kSessionClaim, second->id.text())), HasSubstr("not known"));
    EXPECT_THAT(b.refusal(b.signed_with("jti", second->writ.text())), HasSubstr("not known"));
    json::Node about = json::Node::object();
    about["id"] = b.ids.mint<TaskId>().text();
    EXPECT_THAT(b.refusal(b.signed_with(kTaskClaim, about)), HasSubstr("not known"));
}

TEST(Authenticate, RefusesWhatHasEnded) {
    Bearer b;
    b.directory.end_session(b.session);
    EXPECT_THAT(b.refusal(b.token), HasSubstr("the session has ended"));
    for (const TaskState how : {TaskState::kEnded, TaskState::kRevoked}) {
        Bearer of;
        ASSERT_TRUE(of.directory.end(of.task->id, how));
        EXPECT_EQ(of.refusal(of.token), "the task is " + std::string(name(how)));
    }
    const auto child = b.start(child_of(b.task), b.task);
    const auto token = b.directory.writ(*b.open(child));
    EXPECT_EQ(b.refusal(token), "accepted");
    ASSERT_TRUE(b.directory.end(b.task->id, TaskState::kRevoked));
    EXPECT_EQ(b.refusal(token), "the task is revoked");
}

TEST(Authenticate, RefusesAConnectionBoundSessionPresentedAsBearer) {
    Bearer b;
    const auto bound = b.open(b.task, Binding::kUnixPeer);
    EXPECT_THAT(b.refusal(b.directory.writ(*bound)), HasSubstr("bound to a connection"));
}

TEST(Authenticate, RefusesGarbageAndDamage) {
    Bearer b;
    for (const std::string_view bad : {"", ".", "..", "...", "a.b.c", "Bearer x", "\0\0\0", "{}"})
        EXPECT_NE(b.refusal(bad), "accepted");
    EXPECT_NE(b.refusal(b.token + "."), "accepted");
    EXPECT_NE(b.refusal(b.token + "="), "accepted");
    EXPECT_NE(b.refusal(" " + b.token), "accepted");
    EXPECT_NE(b.refusal(b.token.substr(0, b.token.size() - 1)), "accepted");
    EXPECT_NE(b.refusal(b.token.substr(0, b.token.rfind('.') + 1)), "accepted");
    for (std::size_t at = 0; at < b.token.size(); at += 7) {
        std::string damaged = b.token;
        damaged[at] = damaged[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(b.refusal(damaged), "accepted") << at;
    }
    EXPECT_THAT(b.refusal(std::string(kMaxWritBytes + 1, 'a')), HasSubstr("longer than"));
}

TEST(Open, RefusesABearerSessionWhoseWritWouldNotFit) {
    World w;
    auto spec = spec_of({});
    spec.grants[0].tools.resize(100, "server/" + std::string(90, 't'));
    const auto task = w.start(spec);
    const auto bearer = w.directory.open(task, Binding::kBearer, "", {});
    ASSERT_FALSE(bearer);
    EXPECT_EQ(bearer.error().code, ErrorCode::kTooLarge);
    EXPECT_THAT(bearer.error().detail, HasSubstr("grant `server/*`"));
    EXPECT_TRUE(w.directory.open(task, Binding::kUnixPeer, "", {}));
    spec.grants[0].tools.resize(40);
    const auto fits = w.open(w.start(spec));
    EXPECT_LE(w.directory.writ(*fits).size(), kMaxWritBytes);
    EXPECT_TRUE(w.directory.authenticate(w.directory.writ(*fits)));
}

}  // namespace
}  // namespace writ::identity

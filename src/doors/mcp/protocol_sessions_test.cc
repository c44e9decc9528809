// Defends: a protocol session is a name bound to its writ session and its endpoint, knows what runs
// for its client, and tells it when it is over.
#include "doors/mcp/protocol_sessions.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace writ::mcp {
namespace {

struct Ear final : Told {
    std::vector<Why> heard;
    void tell(Why why) override { heard.push_back(why); }
};

identity::SessionPtr live_session(IdSource& ids) {
    auto task = std::make_shared<identity::Task>();
    task->id = task->root = ids.mint<TaskId>();
    task->deadline_boot_us = 1'000;
    auto session = std::make_shared<identity::Session>();
    session->id = ids.mint<SessionId>();
    session->task = task;
    session->expires_boot_us = 1'000;
    return session;
}

class ProtocolSessionsTest : public testing::Test {
  protected:
    ManualClock clock_{1'700'000'000'000'000};
    IdSource ids_{clock_};
    identity::SessionPtr owner_ = live_session(ids_);
    ProtocolSessions sessions_;
    const Terms terms_{"2025-11-25", ""};
};

TEST_F(ProtocolSessionsTest, AreFoundByOwnerIdAndServer) {
    const auto all = *sessions_.mint(owner_, terms_);
    const auto one = *sessions_.mint(owner_, {"2025-11-25", "fs"});
    EXPECT_EQ(sessions_.find(owner_->id, all->id(), ""), all);
    EXPECT_EQ(sessions_.find(owner_->id, one->id(), "fs"), one);
    EXPECT_EQ(sessions_.find(owner_->id, one->id(), ""), nullptr);
    EXPECT_EQ(sessions_.find(owner_->id, all->id(), "fs"), nullptr);
    EXPECT_EQ(sessions_.find(live_session(ids_)->id, all->id(), ""), nullptr);
    EXPECT_FALSE(sessions_.end(owner_->id, one->id(), ""));
    EXPECT_TRUE(sessions_.end(owner_->id, one->id(), "fs"));
    EXPECT_EQ(sessions_.size(), 1u);
}

TEST_F(ProtocolSessionsTest, ARequestIsInFlightOnceAndCancelledByItsOwnId) {
    const auto session = *sessions_.mint(owner_, terms_);
    const auto ear = std::make_shared<Ear>();
    EXPECT_TRUE(session->begin(flight_key("1"), ear).has_value());
    EXPECT_EQ(session->begin(flight_key("1"), ear).error().code, ErrorCode::kConflict);
    EXPECT_TRUE(session->begin(flight_key("\"1\""), ear).has_value());  // another id
    EXPECT_FALSE(session->cancel(flight_key("2")));
    EXPECT_TRUE(session->cancel(flight_key("1")));
    EXPECT_EQ(ear->heard, std::vector{Told::Why::kCancelled});
    session->end(flight_key("1"));
    EXPECT_FALSE(session->cancel(flight_key("1")));
    EXPECT_TRUE(session->begin(flight_key("1"), ear).has_value());
}

TEST_F(ProtocolSessionsTest, FlightsAndStreamsAreBounded) {
    const auto session = *sessions_.mint(owner_, terms_);
    const auto ear = std::make_shared<Ear>();
    for (std::size_t i = 0; i < kMaxFlights_per_session; ++i)
        ASSERT_TRUE(session->begin(std::to_string(i), ear).has_value());
    EXPECT_EQ(session->begin("x", ear).error().code, ErrorCode::kExhausted);
    std::vector<std::shared_ptr<Ear>> streams;
    for (std::size_t i = 0; i < kMaxStreams_per_session; ++i) {
        streams.push_back(std::make_shared<Ear>());
        ASSERT_TRUE(session->open(streams.back()).has_value());
    }
    EXPECT_EQ(session->open(ear).error().code, ErrorCode::kExhausted);
    EXPECT_TRUE(session->is_first(streams[0].get()));
    session->close(streams[0].get());
    EXPECT_TRUE(session->is_first(streams[1].get()));
    EXPECT_FALSE(session->is_first(streams[2].get()));
    EXPECT_TRUE(session->open(ear).has_value());
}

TEST(FlightKey, IsTheIdAndNotItsSpelling) {
    EXPECT_EQ(flight_key(R"("A")"), flight_key(R"("\u0041")"));
    EXPECT_EQ(flight_key("1"), flight_key("1"));
    EXPECT_NE(flight_key("1"), flight_key("\"1\""));
    EXPECT_NE(flight_key("1"), flight_key("2"));
    EXPECT_NE(flight_key(R"("a\\b")"), flight_key(R"("ab")"));
}

TEST_F(ProtocolSessionsTest, TheSweepTellsTheDeadAndLetsGoOfTheIdle) {
    const auto session = *sessions_.mint(owner_, terms_);
    const auto flight = std::make_shared<Ear>();
    const auto stream = std::make_shared<Ear>();
    EXPECT_TRUE(sessions_.watch(session));
    EXPECT_FALSE(sessions_.watch(session));  // looked after already
    EXPECT_EQ(sessions_.sweep(1, {}), 0u);   // nothing of it runs
    ASSERT_TRUE(session->begin("1", flight).has_value());
    ASSERT_TRUE(session->open(stream).has_value());
    EXPECT_TRUE(sessions_.watch(session));
    EXPECT_EQ(sessions_.sweep(1, {}), 1u);
    EXPECT_TRUE(flight->heard.empty());
    EXPECT_EQ(sessions_.sweep(1, Told::Why::kCatalog), 1u);
    EXPECT_EQ(stream->heard, std::vector{Told::Why::kCatalog});
    EXPECT_TRUE(flight->heard.empty());  // news of the list is for streams
    owner_->task->state = identity::TaskState::kRevoked;
    EXPECT_EQ(sessions_.sweep(1, {}), 1u);
    EXPECT_EQ(flight->heard, std::vector{Told::Why::kDead});
    EXPECT_EQ(stream->heard.back(), Told::Why::kDead);
    // What comes late finds it over.
    EXPECT_EQ(session->begin("2", flight).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(session->open(stream).error().code, ErrorCode::kNotFound);
    session->end("1");
    session->close(stream.get());
    EXPECT_EQ(sessions_.sweep(1, {}), 0u);
}

TEST_F(ProtocolSessionsTest, EndingOneTellsWhatRuns) {
    const auto session = *sessions_.mint(owner_, terms_);
    const auto stream = std::make_shared<Ear>();
    ASSERT_TRUE(session->open(stream).has_value());
    EXPECT_TRUE(sessions_.end(owner_->id, session->id(), ""));
    EXPECT_EQ(stream->heard, std::vector{Told::Why::kDead});
}

// Seventeen sessions: one gives way, but not one whose client waits for an answer.
TEST_F(ProtocolSessionsTest, TheOldestIdleOneGivesWay) {
    const auto busy = *sessions_.mint(owner_, terms_);
    const auto ear = std::make_shared<Ear>();
    ASSERT_TRUE(busy->begin("1", ear).has_value());
    const auto idle = *sessions_.mint(owner_, terms_);
    for (std::size_t i = 2; i <= kMaxProtocolSessions; ++i)
        ASSERT_TRUE(sessions_.mint(owner_, terms_).has_value());
    EXPECT_EQ(sessions_.size(), kMaxProtocolSessions);
    EXPECT_NE(sessions_.find(owner_->id, busy->id(), ""), nullptr);
    EXPECT_EQ(sessions_.find(owner_->id, idle->id(), ""), nullptr);
}

// A client that waits for a long answer was heard longest ago. Who only listens gives way before
// it.
TEST_F(ProtocolSessionsTest, AListeningOneGivesWayBeforeOneWithACallInFlight) {
    const auto ear = std::make_shared<Ear>();
    const auto calling = *sessions_.mint(owner_, terms_);
    ASSERT_TRUE(calling->begin("1", ear).has_value());
    std::vector<ProtocolSessionPtr> listening;
    std::vector<std::shared_ptr<Ear>> streams;
    for (std::size_t i = 1; i < kMaxProtocolSessions; ++i) {
        listening.push_back(*sessions_.mint(owner_, terms_));
        streams.push_back(std::make_shared<Ear>());
        ASSERT_TRUE(listening.back()->open(streams.back()).has_value());
    }
    ASSERT_TRUE(sessions_.mint(owner_, terms_).has_value());
    EXPECT_TRUE(ear->heard.empty());
    EXPECT_EQ(sessions_.find(owner_->id, calling->id(), ""), calling);
    EXPECT_EQ(streams[0]->heard, std::vector{Told::Why::kDead});  // the oldest
    EXPECT_TRUE(streams[1]->heard.empty());
    EXPECT_EQ(sessions_.size(), kMaxProtocolSessions);
}

TEST_F(ProtocolSessionsTest, WhereAllHaveCallsInFlightOneMoreIsRefused) {
    const auto ear = std::make_shared<Ear>();
    std::vector<ProtocolSessionPtr> all;
    for (std::size_t i = 0; i < kMaxProtocolSessions; ++i) {
        all.push_back(*sessions_.mint(owner_, terms_));
        ASSERT_TRUE(all.back()->begin("1", ear).has_value());
    }
    const auto refused = sessions_.mint(owner_, terms_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
    EXPECT_TRUE(ear->heard.empty());
    EXPECT_TRUE(sessions_.mint(live_session(ids_), terms_).has_value());  // of another writ session
    all[3]->end("1");
    EXPECT_TRUE(sessions_.mint(owner_, terms_).has_value());
    EXPECT_EQ(sessions_.find(owner_->id, all[3]->id(), ""), nullptr);
}

TEST_F(ProtocolSessionsTest, AChangedListIsNoticedOnce) {
    const auto session = *sessions_.mint(owner_, terms_);
    EXPECT_FALSE(session->shows(1));
    EXPECT_FALSE(session->shows(1));
    EXPECT_TRUE(session->shows(2));
    EXPECT_FALSE(session->shows(2));
}

}  // namespace
}  // namespace writ::mcp

// What every Store must do, as one typed suite. A new implementation defines a fixture type
//
//   struct Subject {
//       Store& store();   // open on first use
//       void reopen();    // closes and opens again, as a restart does
//   };
//
// and instantiates: INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreContract, Subject);
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "store/store.h"

namespace writ::store {

template <class Subject>
class StoreContract : public ::testing::Test {
  protected:
    Store& store() { return subject_.store(); }
    void reopen() { subject_.reopen(); }
    static Key key(std::string id, std::string kind = "task", std::string tenant = "acme") {
        return {std::move(tenant), std::move(kind), std::move(id)};
    }
    Status put(const Key& at, std::string value, std::optional<std::uint64_t> expected = {}) {
        return store().apply(at.tenant, {{at, std::move(value), expected}});
    }
    std::string value(const Key& at) {
        const auto record = store().get(at);
        if (!record) return "error: " + record.error().message();
        return *record ? (*record)->value : "(none)";
    }
    std::uint64_t version(const Key& at) {
        const auto record = store().get(at);
        return record && *record ? (*record)->version : 0;
    }

  private:
    Subject subject_;
};

TYPED_TEST_SUITE_P(StoreContract);

TYPED_TEST_P(StoreContract, GivesBackWhatWasPutWithItsVersion) {
    const auto at = this->key("t1");
    EXPECT_EQ(this->value(at), "(none)");
    ASSERT_TRUE(this->put(at, "one"));
    EXPECT_EQ(this->value(at), "one");
    EXPECT_EQ(this->version(at), 1u);
    ASSERT_TRUE(this->put(at, "two"));
    EXPECT_EQ(this->value(at), "two");
    EXPECT_EQ(this->version(at), 2u);
}

TYPED_TEST_P(StoreContract, KeepsAnyBytes) {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    const auto at = this->key("it's; DROP TABLE \"x\" -- \xc3\xa9");
    ASSERT_TRUE(this->put(at, bytes));
    EXPECT_EQ(this->value(at), bytes);
    ASSERT_TRUE(this->put(at, ""));
    EXPECT_EQ(this->value(at), "");
    EXPECT_EQ(this->version(at), 2u);
}

TYPED_TEST_P(StoreContract, KeepsTenantsAndKindsApart) {
    ASSERT_TRUE(this->put(this->key("x", "task", "acme"), "acme task"));
    ASSERT_TRUE(this->put(this->key("x", "task", "other"), "other task"));
    ASSERT_TRUE(this->put(this->key("x", "session", "acme"), "acme session"));
    EXPECT_EQ(this->value(this->key("x", "task", "acme")), "acme task");
    EXPECT_EQ(this->value(this->key("x", "task", "other")), "other task");
    EXPECT_EQ(this->store().list("acme", "task", "", 10)->size(), 1u);
}

TYPED_TEST_P(StoreContract, RefusesABatchThatReachesIntoAnotherTenant) {
    const auto mixed = this->store().apply(
        "acme", {{this->key("a"), "1"}, {this->key("b", "task", "other"), "2"}});
    ASSERT_FALSE(mixed);
    EXPECT_EQ(mixed.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(this->value(this->key("a")), "(none)");
}

TYPED_TEST_P(StoreContract, ListsInOrderAfterAMarkUpToALimit) {
    for (const char* id : {"c", "a", "b", "d", "B"}) ASSERT_TRUE(this->put(this->key(id), id));
    const auto ids = [&](std::string_view after, std::size_t limit) {
        std::string out;
        const auto records = this->store().list("acme", "task", after, limit);
        for (const auto& record : *records) out += record.key.id;
        return out;
    };
    EXPECT_EQ(ids("", 10), "Babcd");
    EXPECT_EQ(ids("a", 2), "bc");
    EXPECT_EQ(ids("d", 10), "");
    EXPECT_EQ(ids("", 0), "");
}

TYPED_TEST_P(StoreContract, DeletesAndStartsVersionsAnew) {
    const auto at = this->key("t1");
    ASSERT_TRUE(this->put(at, "one"));
    ASSERT_TRUE(this->store().apply("acme", {{at, std::nullopt}}));
    EXPECT_EQ(this->value(at), "(none)");
    ASSERT_TRUE(this->store().apply("acme", {{at, std::nullopt}}))
        << "deleting nothing is no error";
    ASSERT_TRUE(this->put(at, "again"));
    EXPECT_EQ(this->version(at), 1u);
}

TYPED_TEST_P(StoreContract, ExpectationsGuardAgainstLostUpdates) {
    const auto at = this->key("code");
    ASSERT_TRUE(this->put(at, "fresh", 0));
    const auto second = this->put(at, "fresh", 0);
    ASSERT_FALSE(second) << "must not exist, but does";
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    ASSERT_TRUE(this->put(at, "used", 1));
    const auto stale = this->put(at, "used again", 1);
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code, ErrorCode::kConflict);
    EXPECT_EQ(this->value(at), "used");
    const auto removal = this->store().apply("acme", {{at, std::nullopt, 1}});
    ASSERT_FALSE(removal) << "deleting an outdated version";
    ASSERT_TRUE(this->store().apply("acme", {{at, std::nullopt, 2}}));
}

TYPED_TEST_P(StoreContract, AConflictChangesNothingOfTheBatch) {
    ASSERT_TRUE(this->put(this->key("a"), "1"));
    ASSERT_TRUE(this->store().apply("acme", {}, 5));
    const auto batch = this->store().apply("acme",
                                           {{this->key("a"), "2"},
                                            {this->key("b"), "new"},
                                            {this->key("a"), "3", 7},
                                            {this->key("c"), "never reached"}},
                                           9);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, ErrorCode::kConflict);
    EXPECT_EQ(this->value(this->key("a")), "1");
    EXPECT_EQ(this->value(this->key("b")), "(none)");
    EXPECT_EQ(*this->store().applied("acme"), 5u);
    ASSERT_TRUE(this->put(this->key("a"), "2", 1)) << "and the store works on";
}

TYPED_TEST_P(StoreContract, TheAppliedIndexNeverMovesBack) {
    EXPECT_EQ(*this->store().applied("acme"), std::nullopt);
    ASSERT_TRUE(this->store().apply("acme", {}, 0));
    EXPECT_EQ(*this->store().applied("acme"), 0u);
    ASSERT_TRUE(this->store().apply("acme", {{this->key("a"), "1"}}, 17));
    ASSERT_TRUE(this->store().apply("acme", {{this->key("a"), "2"}}, 12));
    EXPECT_EQ(*this->store().applied("acme"), 17u);
    EXPECT_EQ(this->value(this->key("a")), "2") << "the change itself is made";
    EXPECT_EQ(*this->store().applied("other"), std::nullopt) << "one index a tenant";
    this->reopen();
    EXPECT_EQ(*this->store().applied("acme"), 17u);
}

TYPED_TEST_P(StoreContract, ARestartKeepsEverything) {
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(this->put(this->key(std::to_string(i)), std::string(1000, 'x')));
    }
    ASSERT_TRUE(this->put(this->key("7"), "seven"));
    this->reopen();
    EXPECT_EQ(this->store().list("acme", "task", "", 1000)->size(), 200u);
    EXPECT_EQ(this->value(this->key("7")), "seven");
    EXPECT_EQ(this->version(this->key("7")), 2u);
}

TYPED_TEST_P(StoreContract, OfManyWhoTakeOneThingExactlyOneGetsIt) {
    Store& shared = this->store();
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&shared, &winners, at = this->key("approval")] {
            if (shared.apply("acme", {{at, "spent", 0}})) ++winners;
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
}

REGISTER_TYPED_TEST_SUITE_P(StoreContract, GivesBackWhatWasPutWithItsVersion, KeepsAnyBytes,
                            KeepsTenantsAndKindsApart, RefusesABatchThatReachesIntoAnotherTenant,
                            ListsInOrderAfterAMarkUpToALimit, DeletesAndStartsVersionsAnew,
                            ExpectationsGuardAgainstLostUpdates, AConflictChangesNothingOfTheBatch,
                            TheAppliedIndexNeverMovesBack, ARestartKeepsEverything,
                            OfManyWhoTakeOneThingExactlyOneGetsIt);

}  // namespace writ::store

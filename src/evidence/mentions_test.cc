// The piles, in memory and in the file, against a set that simply remembers everything.
#include "evidence/mentions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace writ::evidence {
namespace {

using Wrong = Mentions::Wrong;
using Expected = std::vector<std::pair<std::uint64_t, Wrong>>;

Expected of(const Mentions::Answer& answer) {
    Expected out;
    for (const auto& found : answer.found) out.emplace_back(found.index, found.what);
    std::ranges::sort(out);
    return out;
}

// Feeds `events` random ones, in which about one in `odds` is wrong somehow.
Expected feed(Mentions& mentions, std::uint64_t events, unsigned odds) {
    Expected out;
    std::mt19937_64 random(events);
    // By number: what the texts in the log say.
    std::vector<bool> ids(events + 3);
    std::vector<std::pair<int, int>> calls(events + 1);  // permits, ends
    const auto id = [](std::uint64_t n) { return "id-" + std::to_string(n); };
    for (std::uint64_t i = 0; i < events; ++i) {
        const bool odd = random() % odds == 0;
        const std::uint64_t cause = odd ? i + random() % 3 : i == 0 ? 0 : random() % i;
        mentions.cause(i, id(cause));
        if (!ids[cause]) out.emplace_back(i, Wrong::kUnknownCause);
        const std::uint64_t own = random() % odds == 0 ? i / 2 : i;
        mentions.id(i, id(own));
        if (ids[own]) out.emplace_back(i, Wrong::kSecondId);
        ids[own] = true;
        const std::uint64_t number = odd ? random() % (i + 1) : i / 2;
        const std::string call = "call-" + std::to_string(number);
        auto& [permits, ends] = calls[number];
        if (i % 2 == 0) {
            mentions.permit(i, call);
            if (permits++ > 0) out.emplace_back(i, Wrong::kSecondPermit);
            continue;
        }
        mentions.end(i, call, true);
        if (permits == 0) out.emplace_back(i, Wrong::kEndBeforePermit);
        if (ends++ > 0) out.emplace_back(i, Wrong::kSecondEnd);
    }
    std::ranges::sort(out);
    return out;
}

TEST(Mentions, FindsWhatASetFindsWhereverItRemembers) {
    // 256 piles of blocks of 1,024 records: 400,000 events fill and spill each.
    for (const auto& [events, held] :
         {std::pair{0u, 1024u}, {50u, 0u}, {400'000u, 1024u}, {400'000u, 0u}, {400'000u, 300u}}) {
        Mentions mentions(true, held);
        const auto expected = feed(mentions, events, 1000);
        EXPECT_EQ(mentions.spilled_bytes() > 0, events > 1000 && held < 1000);
        const auto answer = mentions.finish(1'000'000);
        ASSERT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(of(*answer), expected) << events << " events, " << held << " blocks held";
        EXPECT_EQ(answer->more, 0u);
    }
}

TEST(Mentions, KeepsTheFirstInTheOrderOfTheLogAndCountsTheRest) {
    Mentions mentions;
    const auto expected = feed(mentions, 20'000, 10);
    ASSERT_GT(expected.size(), 1000u);
    const auto answer = mentions.finish(100);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->found.size(), 100u);
    EXPECT_EQ(answer->more, expected.size() - 100);
    EXPECT_LE(answer->found.back().index, expected[100].first);
    EXPECT_TRUE(std::ranges::is_sorted(answer->found));
}

TEST(Mentions, OfAPrunedLogOnlyWhatIsThereIsHeldAgainstIt) {
    Mentions mentions(false);
    mentions.cause(7, "gone");
    mentions.id(7, "seven");
    mentions.cause(8, "nine");
    mentions.id(8, "eight");
    mentions.cause(9, "nine");
    mentions.id(9, "nine");
    mentions.end(10, "begun before", false);
    mentions.end(11, "begun before", false);
    mentions.end(12, "begun here", true);
    const auto answer = mentions.finish(100);
    ASSERT_TRUE(answer);
    EXPECT_EQ(of(*answer), (Expected{{8, Wrong::kUnknownCause},
                                     {9, Wrong::kUnknownCause},
                                     {11, Wrong::kSecondEnd},
                                     {12, Wrong::kEndBeforePermit}}));
}

}  // namespace
}  // namespace writ::evidence

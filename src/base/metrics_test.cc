// Meters count right from many threads, and a page is what the two formats demand: read back by a
// strict reader of their grammar.
#include "base/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <sstream>
#include <thread>

namespace writ::metrics {
namespace {

// What a page says: `name{labels}` to the value's text, and each family's type. Fails the test on
// any line that the formats do not have.
struct Read {
    std::map<std::string, std::string> samples, types;
    bool eof = false;
};

bool belongs(const std::string& sample, const std::string& family, const std::string& type,
             Format format) {
    if (type == "gauge") return sample == family;
    if (type == "counter")
        return sample == family + (format == Format::kOpenMetrics ? "_total" : "");
    return sample == family + "_bucket" || sample == family + "_sum" || sample == family + "_count";
}

Read read(const std::string& text, Format format) {
    static const std::regex help(R"(# HELP ([a-z_][a-z0-9_]*) ((?:[^\\\n]|\\\\|\\n|\\")*))");
    static const std::regex type(R"(# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram))");
    static const std::regex sample(
        R"(([a-z_][a-z0-9_]*)(\{[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*")"
        R"((?:,[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*")*\})?)"
        R"( (-?[0-9]+(?:\.[0-9]+)?(?:e[-+][0-9]+)?|[-+]Inf|NaN))");
    Read out;
    std::string helped, family;
    EXPECT_TRUE(text.empty() || text.back() == '\n');
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        EXPECT_FALSE(out.eof) << "after the end: " << line;
        std::smatch m;
        if (line == "# EOF" && format == Format::kOpenMetrics) {
            out.eof = true;
        } else if (std::regex_match(line, m, help)) {
            helped = m[1];
        } else if (std::regex_match(line, m, type)) {
            EXPECT_EQ(m[1], helped) << "HELP and TYPE stand together";
            family = m[1];
            EXPECT_TRUE(out.types.emplace(family, m[2]).second) << "twice: " << line;
        } else if (std::regex_match(line, m, sample)) {
            EXPECT_TRUE(belongs(m[1], family, out.types[family], format)) << line;
            EXPECT_TRUE(out.samples.emplace(m[1].str() + m[2].str(), m[3]).second) << line;
        } else {
            ADD_FAILURE() << "no line of the format: " << line;
        }
    }
    EXPECT_EQ(out.eof, format == Format::kOpenMetrics);
    return out;
}

TEST(Metrics, CountsFromManyThreadsAddUp) {
    constexpr int kThreads = 4, kEach = 20'000;
    Counter counter;
    Gauge gauge;
    Histogram histogram;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kEach; ++i) {
                counter.add();
                gauge.add(i % 2 == 0 ? 3 : -1);
                histogram.observe_us(i);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(counter.value(), kThreads * kEach);
    EXPECT_EQ(gauge.value(), kThreads * kEach);
    const Durations seen = histogram.read();
    std::uint64_t sum = 0;
    for (const std::uint64_t count : seen.counts) sum += count;
    EXPECT_EQ(sum, kThreads * kEach);
    EXPECT_EQ(seen.sum_us, 4ULL * kEach * (kEach - 1) / 2);
}

TEST(Metrics, ABoundBelongsToItsBucket) {
    Histogram histogram;
    histogram.observe_us(-5);
    histogram.observe_us(50);
    histogram.observe_us(51);
    histogram.observe_us(60'000'000);
    histogram.observe_us(60'000'001);
    const Durations seen = histogram.read();
    EXPECT_EQ(seen.counts[0], 2U);
    EXPECT_EQ(seen.counts[1], 1U);
    EXPECT_EQ(seen.counts[15], 1U);
    EXPECT_EQ(seen.counts[16], 1U);
    EXPECT_EQ(seen.sum_us, 120'000'102U);
}

std::string example(Format format) {
    Page page(format);
    page.family("writ_calls", Type::kCounter, "Calls, \"quoted\" and \\ two\nlines.");
    page.sample({{"verdict", "permit"}, {"server", "a\"b\\c\nd"}}, std::uint64_t{7});
    page.sample({{"verdict", "hold"}}, std::uint64_t{0});
    page.family("writ_open", Type::kGauge, "Open.");
    page.sample({}, -3);
    page.family("writ_ratio", Type::kGauge, "A real number.");
    page.sample({{"of", "half"}}, 0.5);
    page.sample({{"of", "whole"}}, 2.0);
    Histogram histogram;
    histogram.observe_us(40);
    histogram.observe_us(2'000'000);
    histogram.observe_us(90'000'000);
    page.family("writ_took_seconds", Type::kHistogram, "How long.");
    page.sample({{"door", "mcp"}}, histogram.read());
    return std::move(page).take();
}

TEST(Metrics, APageIsOfItsFormat) {
    const Read text = read(example(Format::kText), Format::kText);
    EXPECT_EQ(text.types.at("writ_calls_total"), "counter");
    EXPECT_EQ(text.samples.at(R"(writ_calls_total{verdict="permit",server="a\"b\\c\nd"})"), "7");
    EXPECT_EQ(text.samples.at("writ_open"), "-3");
    EXPECT_EQ(text.samples.at(R"(writ_ratio{of="half"})"), "0.5");
    EXPECT_EQ(text.samples.at(R"(writ_ratio{of="whole"})"), "2.0");
    const Read open = read(example(Format::kOpenMetrics), Format::kOpenMetrics);
    EXPECT_EQ(open.types.at("writ_calls"), "counter");
    EXPECT_EQ(open.samples, text.samples) << "both formats name the same series";
}

TEST(Metrics, BucketsAreCumulative) {
    const Read text = read(example(Format::kText), Format::kText);
    const auto bucket = [&](const std::string& le) {
        return text.samples.at(R"(writ_took_seconds_bucket{door="mcp",le=")" + le + "\"}");
    };
    EXPECT_EQ(bucket("5e-05"), "1");
    EXPECT_EQ(bucket("1.0"), "1");
    EXPECT_EQ(bucket("5.0"), "2");
    EXPECT_EQ(bucket("60.0"), "2");
    EXPECT_EQ(bucket("+Inf"), "3");
    EXPECT_EQ(text.samples.at(R"(writ_took_seconds_count{door="mcp"})"), "3");
    EXPECT_EQ(text.samples.at(R"(writ_took_seconds_sum{door="mcp"})"), "92.00004");
}

TEST(Metrics, AcceptChoosesTheFormat) {
    const std::string prometheus =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
        "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    EXPECT_EQ(wanted(prometheus), Format::kOpenMetrics);
    EXPECT_EQ(wanted("text/html, application/openmetrics-text ; q=0.5"), Format::kOpenMetrics);
    EXPECT_EQ(wanted("application/openmetrics-text;q=0.0, text/plain"), Format::kText);
    EXPECT_EQ(wanted("application/openmetrics-textual"), Format::kText);
    EXPECT_EQ(wanted("text/plain"), Format::kText);
    EXPECT_EQ(wanted("*/*"), Format::kText);
    EXPECT_EQ(wanted(""), Format::kText);
    EXPECT_EQ(wanted(",;,"), Format::kText);
}

TEST(MetricsDeathTest, AWrongNameIsABrokenInvariant) {
    EXPECT_DEATH(
        {
            Page page(Format::kText);
            page.family("writ-calls", Type::kCounter, "");
        },
        "");
    EXPECT_DEATH(Page(Format::kText).sample({}, 1), "");
    EXPECT_DEATH(
        {
            Page page(Format::kText);
            page.family("writ_calls", Type::kCounter, "");
            page.family("writ_calls", Type::kCounter, "");
        },
        "");
}

}  // namespace
}  // namespace writ::metrics

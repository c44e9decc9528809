#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace writ::metrics {
namespace {

constexpr double kMicro = 1e-6;

bool is_name(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
    return !text.empty() && letter(text.front()) &&
           std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view name(Type type) {
    switch (type) {
        case Type::kCounter:
            return "counter";
        case Type::kGauge:
            return "gauge";
        case Type::kHistogram:
            return "histogram";
    }
    return "unknown";
}

// Both formats escape these three in label values; in HELP the quote is harmless either way.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
    for (const char c : text) {
        if (c == '\n')
            out += "\\n";
        else if (c == '\\')
            out += "\\\\";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += c;
    }
}

// The shortest text that reads back as the same number; `1.0` rather than `1`, as OpenMetrics wants
// it in `le`, so that both formats name the same series.
std::string real(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    std::string out = fmt::format("{}", value);
    if (out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The next piece of `rest` up to `mark`, which is eaten.
std::string_view next(std::string_view& rest, char mark) {
    const auto end = rest.find(mark);
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return trim(out);
}

bool is_zero(std::string_view quality) {
    return quality.starts_with("q=0") && quality.find_first_of("123456789") == quality.npos;
}

}  // namespace

Durations& Durations::operator+=(const Durations& other) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    sum_us += other.sum_us;
    return *this;
}

void Histogram::observe_us(std::int64_t us) noexcept {
    std::size_t at = 0;
    while (at < kDurationBounds_us.size() && us > kDurationBounds_us[at]) ++at;
    counts_[at].add();
    sum_us_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)));
}

Durations Histogram::read() const noexcept {
    Durations out;
    for (std::size_t i = 0; i < counts_.size(); ++i) out.counts[i] = counts_[i].value();
    out.sum_us = sum_us_.value();
    return out;
}

Format wanted(std::string_view accept) {
    while (!accept.empty()) {
        std::string_view range = next(accept, ',');
        if (next(range, ';') != "application/openmetrics-text") continue;
        bool refused = false;
        while (!range.empty()) refused = is_zero(next(range, ';')) || refused;
        if (!refused) return Format::kOpenMetrics;
    }
    return Format::kText;
}

std::string_view content_type(Format format) {
    return format == Format::kText ? "text/plain; version=0.0.4; charset=utf-8"
                                   : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

void Page::family(std::string_view family_name, Type type, std::string_view help) {
    WRIT_CHECK(is_name(family_name) && !family_name.ends_with("_total"));
    WRIT_CHECK(std::ranges::find(seen_, family_name) == seen_.end());
    seen_.emplace_back(family_name);
    name_ = family_name;
    type_ = type;
    // 0.0.4 knows a counter by the name of its samples, OpenMetrics by that without `_total`.
    const bool suffixed = type == Type::kCounter && format_ == Format::kText;
    const std::string shown = name_ + (suffixed ? "_total" : "");
    out_ += "# HELP " + shown + " ";
    append_escaped(out_, help, format_ == Format::kOpenMetrics);
    out_ += fmt::format("\n# TYPE {} {}\n", shown, name(type));
}

void Page::sample(Labels labels, std::uint64_t value) {
    line(type_ == Type::kCounter ? "_total" : "", labels, {}, std::to_string(value));
}

void Page::sample(Labels labels, std::int64_t value) {
    line(type_ == Type::kCounter ? "_total" : "", labels, {}, std::to_string(value));
}

void Page::sample(Labels labels, double value) {
    line(type_ == Type::kCounter ? "_total" : "", labels, {}, real(value));
}

void Page::sample(Labels labels, const Durations& durations) {
    WRIT_CHECK(type_ == Type::kHistogram);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < durations.counts.size(); ++i) {
        count += durations.counts[i];
        const bool last = i == kDurationBounds_us.size();
        const std::string le =
            last ? "+Inf" : real(static_cast<double>(kDurationBounds_us[i]) / 1e6);
        line("_bucket", labels, le, std::to_string(count));
    }
    line("_sum", labels, {}, real(static_cast<double>(durations.sum_us) * kMicro));
    line("_count", labels, {}, std::to_string(count));
}

void Page::line(std::string_view suffix, Labels labels, std::string_view le,
                std::string_view value) {
    WRIT_CHECK(!name_.empty());
    out_ += name_;
    out_ += suffix;
    char before = '{';
    const auto label = [&](std::string_view key, std::string_view text) {
        WRIT_CHECK(is_name(key));
        out_ += before;
        before = ',';
        out_.append(key).append("=\"");
        append_escaped(out_, text, true);
        out_ += '"';
    };
    for (const auto& [key, text] : labels) label(key, text);
    if (!le.empty()) label("le", le);
    if (before == ',') out_ += '}';
    out_.append(" ").append(value) += '\n';
}

std::string Page::take() && {
    if (format_ == Format::kOpenMetrics) out_ += "# EOF\n";
    return std::move(out_);
}

}  // namespace writ::metrics

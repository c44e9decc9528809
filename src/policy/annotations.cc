#include "policy/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace writ::policy {
namespace {

constexpr std::array<std::string_view, 5> kKnown = {"id", "hold", "redact", "cap", "notify"};

// One insertion, deletion, replacement or swap away from each other, in a word long enough for it
// to be a slip.
bool one_slip(std::string_view a, std::string_view b) {
    if (a == b || b.size() < 3) return false;
    std::size_t head = 0;
    while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
    std::size_t tail = 0;
    while (tail < a.size() - head && tail < b.size() - head &&
           a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
        ++tail;
    const std::size_t left_a = a.size() - head - tail;
    const std::size_t left_b = b.size() - head - tail;
    if (left_a <= 1 && left_b <= 1) return true;
    return left_a == 2 && left_b == 2 && a[head] == b[head + 1] && a[head + 1] == b[head];
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

}  // namespace

Result<Notes> read_annotations(const cedar::PolicyInfo& policy) {
    Notes out;
    for (const auto& [key, value] : policy.annotations) {
        if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
            for (const auto known : kKnown) {
                const std::string folded = lower(key);
                if (folded == known || one_slip(folded, known))
                    return fail(
                        ErrorCode::kInvalid,
                        fmt::format("unknown annotation `@{}`, did you mean `@{}`?", key, known),
                        policy.at);
            }
            continue;
        }
        if (key == "id") {
            if (value.empty())
                return fail(ErrorCode::kInvalid, "`@id` needs a name: @id(\"pay-limit\")",
                            policy.at);
            out.id = value;
        } else if (key == "hold") {
            if (policy.effect != cedar::Effect::kForbid)
                return fail(ErrorCode::kInvalid,
                            "`@hold` stands on a permit: write the rule as a forbid with @hold",
                            policy.at);
            if (value.empty())
                return fail(ErrorCode::kInvalid,
                            "`@hold` needs the name of its rule: @hold(\"four-eyes\")", policy.at);
            out.hold = value;
        } else {
            if (policy.effect != cedar::Effect::kPermit)
                return fail(
                    ErrorCode::kInvalid,
                    fmt::format("`@{}` stands on a forbid: obligations belong on permits", key),
                    policy.at);
            out.obligations.push_back({key, value});
        }
    }
    return out;
}

}  // namespace writ::policy

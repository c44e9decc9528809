#include "cedar/names.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace writ::cedar {
namespace {

bool is_letter(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Edits (insert, delete, replace, swap of neighbours) that turn a into b.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, above);
        std::swap(above, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min(
                {above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
}

}  // namespace

bool is_identifier(std::string_view text) {
    if (text.empty() || !is_letter(text[0])) return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool is_reserved(std::string_view identifier) {
    static constexpr std::array<std::string_view, 9> kReserved = {
        "true", "false", "if", "then", "else", "in", "is", "like", "has"};
    return std::find(kReserved.begin(), kReserved.end(), identifier) != kReserved.end();
}

bool is_bare_key(std::string_view text) {
    return is_identifier(text) && !is_reserved(text) && text != "__cedar";
}

bool is_normalized_name(std::string_view text) {
    while (true) {
        const std::size_t colons = text.find("::");
        if (!is_bare_key(text.substr(0, colons))) return false;
        if (colons == std::string_view::npos) return true;
        text.remove_prefix(colons + 2);
    }
}

bool is_action_type(std::string_view type) {
    return type == "Action" || type.ends_with("::Action");
}

std::string nearest(std::string_view wrong, std::span<const std::string_view> names) {
    constexpr std::size_t kLongestWord = 64;  // the distance is quadratic
    if (wrong.size() > kLongestWord) return {};
    std::string_view best;
    std::size_t least = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (std::string_view name : names) {
        if (name.size() > wrong.size() + least) continue;
        const std::size_t edits = distance(wrong, name);
        if (edits >= least) continue;
        least = edits;
        best = name;
    }
    return std::string(best);
}

}  // namespace writ::cedar

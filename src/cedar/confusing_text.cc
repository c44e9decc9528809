#include "cedar/confusing_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/escape.h"
#include "cedar/value.h"

namespace writ::cedar {
namespace {

// The scalar value at `at`, which moves past it. `text` is valid UTF-8.
char32_t next(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at++);
    if (first < 0x80) return first;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    char32_t out = first & (0x3fu >> more);
    for (int i = 0; i < more && at < text.size(); ++i) out = (out << 6) | (byte(at++) & 0x3fu);
    return out;
}

bool in(char32_t c, char32_t first, char32_t last) {
    return c >= first && c <= last;
}

// Why the text may mislead; empty if it does not.
std::string_view trouble(std::string_view text) {
    bool latin = false, cyrillic = false, greek = false;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next(text, at);
        if (in(c, 0x202a, 0x202e) || in(c, 0x2066, 0x2069) || c == 0x200e || c == 0x200f ||
            c == 0x061c)
            return "contains BIDI control characters";
        if (in(c, 0x200b, 0x200d) || c == 0x2060 || c == 0xfeff || c == 0x00ad)
            return "contains invisible characters";
        latin = latin || in(c, 'a', 'z') || in(c, 'A', 'Z') || in(c, 0x00c0, 0x024f);
        cyrillic = cyrillic || in(c, 0x0400, 0x052f);
        greek = greek || in(c, 0x0370, 0x03ff);
    }
    if (int{latin} + int{cyrillic} + int{greek} > 1) return "contains mixed scripts";
    return {};
}

bool plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
}

}  // namespace

void find_confusing_text(const Policy& policy, PolicyFindings& findings) {
    // Escapes show what they are; only what stands in the source itself can mislead.
    if (policy.source == nullptr || plain(policy.text(policy.begin, policy.end))) return;
    const auto warn = [&](std::string_view text, std::uint32_t begin, std::uint32_t end) {
        if (plain(text)) return;
        const std::string_view why = trouble(text);
        if (why.empty() || !findings.fresh(FindingKind::kConfusingText, begin)) return;
        findings.add(Severity::kWarning, FindingKind::kConfusingText, begin, end,
                     fmt::format("string `{}` {}", string_literal(text), why),
                     "write the character as an escape, `\\u{…}`, if it is meant");
    };
    for (const EntityScope* scope : {&policy.principal, &policy.resource})
        warn(scope->uid.uid.id, scope->begin, scope->end);
    for (const Uid& uid : policy.action.uids)
        warn(uid.uid.id, policy.action.begin, policy.action.end);
    for (const Node& node : policy.ast.nodes) {
        if (node.op == Op::kLike)
            for (const std::string& piece : policy.ast.patterns[node.data].pieces())
                warn(piece, node.begin, node.end);
        if (node.op != Op::kLiteral) continue;
        const Cell cell = Cell::of(policy.ast.literals[node.data]);
        if (cell.is(Type::kString)) warn(cell.text(), node.begin, node.end);
        if (cell.is(Type::kEntity)) warn(cell.uid().uid->id, node.begin, node.end);
    }
}

}  // namespace writ::cedar

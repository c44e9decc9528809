#include "cedar/capabilities.h"

#include <algorithm>

namespace writ::cedar {
namespace {

constexpr std::uint32_t kAttributeOf = 0, kTagOf = 1;  // of a capability
// Beyond those of Op: how the numbers of lists are made.
constexpr std::uint32_t kList = 256, kKeyed = 257, kVariableOf = 258, kLiteralOf = 259;

std::uint32_t code(Op op) {
    return static_cast<std::uint32_t>(op);
}

}  // namespace

bool CapabilitySet::contains(std::uint32_t i) const {
    if (i < 64) return ((word_ >> i) & 1) != 0;
    const std::size_t word = i / 64 - 1;
    return word < more_.size() && ((more_[word] >> (i % 64)) & 1) != 0;
}

void CapabilitySet::insert(std::uint32_t i) {
    if (i < 64) {
        word_ |= std::uint64_t{1} << i;
        return;
    }
    const std::size_t word = i / 64 - 1;
    if (word >= more_.size()) more_.resize(word + 1);
    more_[word] |= std::uint64_t{1} << (i % 64);
}

void CapabilitySet::unite(const CapabilitySet& other) {
    word_ |= other.word_;
    if (more_.size() < other.more_.size()) more_.resize(other.more_.size());
    for (std::size_t i = 0; i < other.more_.size(); ++i) more_[i] |= other.more_[i];
}

void CapabilitySet::intersect(const CapabilitySet& other) {
    word_ &= other.word_;
    more_.resize(std::min(more_.size(), other.more_.size()));
    for (std::size_t i = 0; i < more_.size(); ++i) more_[i] &= other.more_[i];
}

Capabilities::Capabilities(const Ast& ast) : ast_(ast) {}

std::uint32_t Capabilities::expression(NodeId id) {
    if (made_.empty()) made_.assign(ast_.nodes.size(), kNone);
    if (made_[id] == kNone) made_[id] = make(id);
    return made_[id];
}

std::uint32_t Capabilities::attribute(std::uint32_t of, std::string_view name) {
    return intern(code(Op::kAttribute), of, text(name));
}

// As the reference's parser has it: `!=` is not(==), `a > b` is not(a <= b), chains bind to the
// left.
std::uint32_t Capabilities::make(NodeId id) {
    const Node& node = ast_.nodes[id];
    const auto kids = ast_.children(node);
    const auto negated = [&](Op op) { return intern(code(Op::kNot), list(code(op), 0, kids), 0); };
    switch (node.op) {
        case Op::kLiteral:
            return intern(kLiteralOf, text(ast_.literals[node.data].text()), 0);
        case Op::kVariable:
            return intern(kVariableOf, static_cast<std::uint32_t>(node.variable), 0);
        case Op::kAnd:
        case Op::kOr:
            return chain(code(node.op), kids);
        case Op::kNotEqual:
            return negated(Op::kEqual);
        case Op::kGreater:
            return negated(Op::kLessEqual);
        case Op::kGreaterEqual:
            return negated(Op::kLess);
        case Op::kAttribute:
            return attribute(expression(kids[0]), ast_.names[node.data]);
        case Op::kHas:
            return has(node);
        case Op::kIs:
            return list(code(Op::kIs), text(ast_.names[node.data]), kids);
        case Op::kIsIn: {
            const std::uint32_t is =
                list(code(Op::kIs), text(ast_.names[node.data]), kids.first(1));
            return intern(code(Op::kAnd), is, list(code(Op::kIn), 0, kids));
        }
        case Op::kLike: {
            std::string pattern;
            for (const std::string& piece : ast_.patterns[node.data].pieces())
                pattern += std::to_string(piece.size()) + ":" + piece;
            return list(code(Op::kLike), text(pattern), kids);
        }
        case Op::kRecord: {
            std::uint32_t out = intern(code(Op::kRecord), 0, 0);
            for (std::size_t i = 0; i < kids.size(); ++i) {
                const std::uint32_t key =
                    text(ast_.names[node.data + static_cast<std::uint32_t>(i)]);
                out = intern(kList, out, intern(kKeyed, key, expression(kids[i])));
            }
            return out;
        }
        case Op::kCall:
            return list(code(Op::kCall), static_cast<std::uint32_t>(node.function), kids);
        default:
            return list(code(node.op), 0, kids);
    }
}

// e has a.b.c is (e has a && e.a has b) && e.a.b has c
std::uint32_t Capabilities::has(const Node& node) {
    std::uint32_t of = expression(ast_.children(node)[0]);
    std::uint32_t out = kNone;
    for (std::uint32_t i = 0; i < node.name_count; ++i) {
        const std::string& name = ast_.names[node.data + i];
        const std::uint32_t one = intern(code(Op::kHas), of, text(name));
        out = out == kNone ? one : intern(code(Op::kAnd), out, one);
        of = attribute(of, name);
    }
    return out;
}

std::uint32_t Capabilities::chain(std::uint32_t op, std::span<const NodeId> children) {
    std::uint32_t out = expression(children[0]);
    for (const NodeId child : children.subspan(1)) out = intern(op, out, expression(child));
    return out;
}

std::uint32_t Capabilities::list(std::uint32_t op, std::uint32_t head,
                                 std::span<const NodeId> children) {
    std::uint32_t out = intern(op, head, static_cast<std::uint32_t>(children.size()));
    for (const NodeId child : children) out = intern(kList, out, expression(child));
    return out;
}

std::uint32_t Capabilities::intern(std::uint32_t op, std::uint32_t a, std::uint32_t b) {
    return expressions_.emplace(Key{op, a, b}, static_cast<std::uint32_t>(expressions_.size()))
        .first->second;
}

std::uint32_t Capabilities::text(std::string_view of) {
    const auto at = texts_.find(of);
    if (at != texts_.end()) return at->second;
    const auto number = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace(of, number);
    return number;
}

std::uint32_t Capabilities::has_attribute(std::uint32_t of, std::string_view name) {
    return capability({kAttributeOf, of, text(name)});
}

std::uint32_t Capabilities::has_tag(std::uint32_t of, std::uint32_t key) {
    return capability({kTagOf, of, key});
}

std::uint32_t Capabilities::capability(const Key& key) {
    const auto at = capabilities_.find(key);
    if (at != capabilities_.end()) return at->second;
    if (capabilities_.size() == kCapabilitiesMax) {
        overflowed_ = true;
        return kCapabilitiesMax - 1;
    }
    return capabilities_.emplace(key, static_cast<std::uint32_t>(capabilities_.size()))
        .first->second;
}

}  // namespace writ::cedar

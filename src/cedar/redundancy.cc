#include "cedar/redundancy.h"

namespace writ::cedar {

void Redundancy::observe(const Typechecker& typechecker) {
    for (NodeId id = 0; id < seen_.size(); ++id) {
        if (!typechecker.looked_at(id)) continue;
        const TypeId type = typechecker.type_of(id);
        seen_[id] |= type == kTrueType ? kTrueSeen : type == kFalseType ? kFalseSeen : kOtherSeen;
    }
}

void Redundancy::report(PolicyFindings& findings) const {
    for (const Condition& condition : policy_.conditions) report(condition.body, findings);
}

// Recursion: as deep as the tree.
void Redundancy::report(NodeId id, PolicyFindings& findings) const {
    const Node& of = policy_.ast.nodes[id];
    const auto warn = [&](FindingKind kind, std::string message) {
        if (findings.fresh(kind, id))
            findings.add(Severity::kWarning, kind, of.begin, of.end, std::move(message));
    };
    switch (seen_[id]) {
        case 0:
            warn(FindingKind::kUnreachable,
                 "this is never evaluated: what stands before it has decided for all valid "
                 "requests");
            return;
        case kTrueSeen:
            warn(FindingKind::kAlwaysTrue, "this is true for all valid requests");
            return;
        case kFalseSeen:
            warn(FindingKind::kAlwaysFalse, "this is false for all valid requests");
            return;
        default:
            break;
    }
    const auto kids = policy_.ast.children(of);
    if (of.op == Op::kAnd || of.op == Op::kOr || of.op == Op::kNot || of.op == Op::kIf)
        for (const NodeId kid : kids) report(kid, findings);
}

}  // namespace writ::cedar

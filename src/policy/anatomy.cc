#include "policy/anatomy.h"

#include <fmt/format.h>

#include "base/check.h"
#include "cedar/policy_set.h"

namespace writ::policy {

using cedar::Op;
using Came = LeafOutcome::Came;

std::string_view name(Came came) {
    switch (came) {
        case Came::kNotReached:
            return "not reached";
        case Came::kTrue:
            return "true";
        case Came::kFalse:
            return "false";
        case Came::kError:
            return "error";
    }
    return "error";
}

Anatomy::Anatomy(std::shared_ptr<const cedar::Policy> policy) : policy_(std::move(policy)) {
    for (const auto& condition : policy_->conditions)
        clauses_.push_back({condition.unless, take(condition.body, condition.unless)});
}

Anatomy::Branch Anatomy::take(cedar::NodeId id, bool unless) {
    const cedar::Node& node = policy_->ast.nodes[id];
    if ((node.op == Op::kAnd || node.op == Op::kOr) && leaves_.size() < kMaxLeaves) {
        Branch out{node.op == Op::kAnd ? Join::kAnd : Join::kOr, 0, {}};
        for (const cedar::NodeId kid : policy_->ast.children(node))
            out.of.push_back(take(kid, unless));
        return out;
    }
    Leaf leaf;
    leaf.text = std::string(policy_->text(node.begin, node.end));
    leaf.at = policy_->source->at(node.begin);
    leaf.unless = unless;
    leaf.begin = node.begin;
    leaf.end = node.end;
    leaf.node = id;
    auto probe = cedar::PolicySet::parse(
        fmt::format("permit (principal, action, resource) when {{\n{0}\n}};\n"
                    "permit (principal, action, resource) unless {{\n{0}\n}};",
                    leaf.text),
        {.file = "", .id_prefix = ""});
    // It was parsed before, as part of its policy; a leaf that is no expression by itself would
    // be a mistake here. It then counts as never reached.
    if (probe) leaf.probe = std::move(*probe);
    leaves_.push_back(std::move(leaf));
    return {Join::kLeaf, leaves_.size() - 1, {}};
}

namespace {

// `unless {…} is true: a is 1` without all before the values.
std::string values_of(const std::string& detail, const Leaf& leaf) {
    for (const char* word : {"is true", "is false"}) {
        const auto at =
            detail.find(std::string("} ") + word, std::min(detail.size(), leaf.text.size()));
        if (at == std::string::npos) continue;
        const auto colon = detail.find(": ", at);
        return colon == std::string::npos ? "" : detail.substr(colon + 2);
    }
    return "";
}

}  // namespace

Came Anatomy::evaluate(const Branch& branch, const cedar::Request& request,
                       const cedar::Entities& entities, std::vector<LeafOutcome>& out) const {
    if (branch.join != Join::kLeaf) {
        const Came decides = branch.join == Join::kAnd ? Came::kFalse : Came::kTrue;
        for (const Branch& one : branch.of) {
            const Came came = evaluate(one, request, entities, out);
            if (came == decides || came == Came::kError) return came;
        }
        return decides == Came::kFalse ? Came::kTrue : Came::kFalse;
    }
    const Leaf& leaf = leaves_[branch.leaf];
    LeafOutcome& result = out[branch.leaf];
    for (const auto& outcome : cedar::evaluate(request, leaf.probe, entities, true)) {
        if (outcome.outcome == cedar::Outcome::kError) {
            result.came = Came::kError;
            result.values = outcome.detail;
            break;
        }
        if (outcome.outcome == cedar::Outcome::kNotSatisfied) {
            result.came = outcome.policy == "0" ? Came::kFalse : Came::kTrue;
            result.values = values_of(outcome.detail, leaf);
        }
    }
    return result.came;
}

std::vector<LeafOutcome> Anatomy::evaluate(const cedar::Request& request,
                                           const cedar::Entities& entities) const {
    std::vector<LeafOutcome> out(leaves_.size());
    for (const Clause& clause : clauses_) {
        const Came came = evaluate(clause.body, request, entities, out);
        if (came != (clause.unless ? Came::kFalse : Came::kTrue)) break;
    }
    return out;
}

std::vector<std::pair<std::string, std::shared_ptr<const cedar::Policy>>> policies_of(
    const cedar::PolicySet& set) {
    std::vector<std::pair<std::string, std::shared_ptr<const cedar::Policy>>> out;
    for (const auto& entry : set.impl().entries)
        if (!entry.policy->is_template()) out.emplace_back(entry.id, entry.policy);
    return out;
}

}  // namespace writ::policy

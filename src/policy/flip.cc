#include "policy/flip.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cedar/value.h"
#include "policy/anatomy.h"
#include "policy/cedar_engine.h"
#include "policy/flip_arguments.h"

namespace writ::policy {
namespace {

// The same task with other grants at one depth of its chain.
std::shared_ptr<const identity::Task> regranted(const identity::Task& task, std::int64_t depth,
                                                const std::vector<identity::Grant>& grants) {
    auto out = std::make_shared<identity::Task>();
    out->id = task.id;
    out->root = task.root;
    out->parent = task.parent;
    out->depth = task.depth;
    out->spec = task.spec;
    out->agent = task.agent;
    out->parent_task = task.parent_task;
    out->started_us = task.started_us;
    out->deadline_us = task.deadline_us;
    std::int64_t own = 0;
    for (const auto* link = task.parent_task.get(); link; link = link->parent_task.get()) ++own;
    if (own == depth)
        out->spec.grants = grants;
    else if (task.parent_task)
        out->parent_task = regranted(*task.parent_task, depth, grants);
    return out;
}

class Flipper {
  public:
    Flipper(const Posed& posed, const CedarEngine& engine)
        : posed_(posed), engine_(engine), before_(posed.decide(engine)) {}

    json::Node find() {
        arguments();
        if (before_.kind != Kind::kPermit) grants();
        policies();
        return std::move(out_);
    }

  private:
    bool flips(const Verdict& verdict) const {
        return before_.kind == Kind::kPermit ? verdict.kind != Kind::kPermit
                                             : verdict.kind == Kind::kPermit;
    }

    bool tell(std::string_view kind, std::string change, const Verdict& verdict) {
        if (!flips(verdict) || told_ >= kMaxFlipsTold) return false;
        if (!seen_.insert(change).second) return true;
        ++told_;
        json::Node one = json::Node::object();
        one["kind"] = kind;
        one["change"] = std::move(change);
        one["verdict"] = name(verdict.kind);
        one["code"] = verdict.code;
        out_.push_back(std::move(one));
        return true;
    }

    bool may_try() { return tries_++ < kMaxFlipTries; }

    void arguments() {
        told_ = 0;
        std::vector<ArgumentEdit> edits;
        for (const auto& [id, policy] : policies_of(engine_.set())) collect_edits(*policy, edits);
        for (const identity::Task* link = &posed_.task(); link; link = link->parent_task.get())
            for (const auto& grant : link->spec.grants)
                if (!grant.when.empty())
                    if (const auto compiled = condition(grant.when))
                        for (const auto& [id, policy] : policies_of(**compiled))
                            collect_edits(*policy, edits);
        // One change of an argument is enough for it: the first of its edits that does.
        std::set<std::vector<std::string>> done;
        for (const ArgumentEdit& edit : edits) {
            if (done.contains(edit.path) || !may_try()) continue;
            const auto changed = apply(posed_.arguments(), edit);
            if (!changed || changed->text == posed_.arguments()) continue;
            const auto posed = posed_.with_arguments(changed->text);
            if (!posed) continue;
            const Verdict verdict = posed->decide(engine_);
            if (verdict.code == "bad_argument") continue;
            if (tell("argument", changed->told, verdict)) done.insert(edit.path);
        }
    }

    void try_grants(std::int64_t depth, const std::vector<identity::Grant>& grants,
                    std::string change) {
        if (!may_try()) return;
        const auto posed = posed_.with_task(regranted(posed_.task(), depth, grants));
        tell("grant", std::move(change), posed.decide(engine_));
    }

    void grants_of(const identity::Task& link, std::int64_t depth) {
        const auto question = posed_.question();
        const std::string tool = posed_.tool().qualified();
        const auto& grants = link.spec.grants;
        for (std::size_t i = 0; i < grants.size(); ++i) {
            const std::string id = fmt::format("grant:{}:{}", depth, i);
            auto changed = grants;
            if (!names_tool(grants[i], posed_.tool())) {
                changed[i].tools.push_back(tool);
                try_grants(depth, changed, fmt::format("let {} name `{}`", id, tool));
                continue;
            }
            if (!grants[i].when.empty()) {
                changed[i].when.clear();
                try_grants(depth, changed,
                           fmt::format("drop the condition of {}: {}", id, grants[i].when));
                changed = grants;
            }
            if (!grants[i].domains.empty() && question) {
                changed[i].domains = question->resource.domains;
                try_grants(depth, changed,
                           fmt::format("let {} name the data domains {}", id,
                                       fmt::join(question->resource.domains, ", ")));
                changed = grants;
            }
            if (grants[i].expires_s != 0) {
                changed[i].expires_s = 0;
                try_grants(depth, changed, fmt::format("let {} not expire", id));
            }
        }
        if (grants.empty())
            try_grants(depth, {{{tool}, {}, "", 0}},
                       fmt::format("grant `{}` at depth {}", tool, depth));
    }

    void grants() {
        told_ = 0;
        std::vector<const identity::Task*> links;
        for (const identity::Task* link = &posed_.task(); link; link = link->parent_task.get())
            links.insert(links.begin(), link);
        for (std::size_t depth = 0; depth < links.size(); ++depth)
            grants_of(*links[depth], static_cast<std::int64_t>(depth));
    }

    std::string place(const std::string& id) const {
        const auto at = engine_.loaded().places.find(id);
        return at == engine_.loaded().places.end()
                   ? ""
                   : fmt::format(" ({}:{})", at->second.file, at->second.line);
    }

    // One condition of a policy replaced by what lets the policy through.
    void without_condition(const Question& question, const std::string& id,
                           const std::shared_ptr<const cedar::Policy>& policy) {
        const Anatomy anatomy(policy);
        for (const Leaf& leaf : anatomy.leaves()) {
            if (!may_try()) return;
            std::string text(policy->text(policy->begin, policy->end));
            text.replace(leaf.begin - policy->begin, leaf.end - leaf.begin,
                         leaf.unless ? "false" : "true");
            const auto changed = load({{"changed.cedar", text}});
            if (!changed) continue;
            tell("policy", fmt::format("drop `{}` from policy `{}`{}", leaf.text, id, place(id)),
                 engine_.decide_with(question, id, changed->get()));
        }
    }

    void policies() {
        told_ = 0;
        const auto question = posed_.question();
        const auto prepared =
            question ? engine_.prepared(*question) : fail(ErrorCode::kInvalid, "");
        if (!prepared) return;
        std::map<std::string, std::shared_ptr<const cedar::Policy>, std::less<>> all;
        for (auto& [id, policy] : policies_of(engine_.set())) all.emplace(id, std::move(policy));
        for (const auto& outcome :
             cedar::evaluate(prepared->request, engine_.set(), prepared->entities)) {
            if (!may_try()) return;
            tell("policy",
                 fmt::format("remove policy `{}`{}", outcome.policy, place(outcome.policy)),
                 engine_.decide_with(*question, outcome.policy, nullptr));
            if (outcome.outcome != cedar::Outcome::kNotSatisfied) continue;
            without_condition(*question, outcome.policy, all[outcome.policy]);
        }
    }

    const Posed& posed_;
    const CedarEngine& engine_;
    const Verdict before_;
    json::Node out_ = json::Node::array();
    std::set<std::string> seen_;
    std::size_t tries_ = 0, told_ = 0;
};

}  // namespace

json::Node single_changes(const Posed& posed, const Engine& engine) {
    const auto* known = CedarEngine::from(engine);
    return known == nullptr ? json::Node::array() : Flipper(posed, *known).find();
}

}  // namespace writ::policy

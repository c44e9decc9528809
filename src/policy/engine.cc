#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/inert.h"
#include "crypto/hash.h"
#include "policy/annotations.h"
#include "policy/grants.h"
#include "policy/policy.h"
#include "policy/request.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

using Agents = std::vector<std::shared_ptr<const identity::Agent>>;
using Files = std::vector<std::pair<std::string, std::string>>;

// What is made of the files once and shared by every engine over another catalog.
struct Loaded {
    cedar::PolicySet set;
    std::map<std::string, Notes, std::less<>> notes;
    std::map<std::string, SourceRef, std::less<>> places;
    Sha256 digest{};
};

Status load_file(const std::string& file, const std::string& text, Loaded& into) {
    const std::string stem = std::filesystem::path(file).stem().string();
    auto parsed = cedar::PolicySet::parse(text, {.file = file, .id_prefix = stem + "."});
    if (!parsed) return fail(parsed.error());
    for (const auto& info : parsed->list()) {
        if (info.is_template)
            return fail(ErrorCode::kUnsupported, "templates are not offered: write the policy out",
                        info.at);
        auto notes = read_annotations(info);
        if (!notes) return fail(notes.error());
        const std::string id = notes->id.value_or(info.id);
        if (id != info.id) {
            if (const auto renamed = parsed->rename(info.id, id); !renamed)
                return fail(ErrorCode::kConflict,
                            fmt::format("the policy id `{}` is used twice", inert(id)), info.at);
        }
        if (into.notes.contains(id))
            return fail(ErrorCode::kConflict,
                        fmt::format("the policy id `{}` is used twice", inert(id)), info.at);
        into.notes.emplace(id, std::move(*notes));
        into.places.emplace(id, info.at);
    }
    return into.set.merge(*parsed);
}

Result<std::shared_ptr<const Loaded>> load(Files files) {
    std::sort(files.begin(), files.end());
    auto out = std::make_shared<Loaded>();
    std::string errors;
    Error first;
    std::string digest_input;
    for (const auto& [file, text] : files) {
        const std::string name = std::filesystem::path(file).filename().string();
        digest_input += fmt::format("{}:{}{}:{}", name.size(), name, text.size(), text);
        if (const auto done = load_file(file, text, *out); !done) {
            if (errors.empty()) first = done.error();
            errors += (errors.empty() ? "" : "\n") +
                      (errors.empty() ? done.error().detail : done.error().message());
        }
    }
    if (!errors.empty()) {
        first.detail = errors;
        return fail(std::move(first));
    }
    out->digest = crypto::sha256(digest_input);
    return std::shared_ptr<const Loaded>(std::move(out));
}

// The first link none of whose grants allows the call decides how it is refused; the mildest
// mismatch of that link tells why.
std::optional<Verdict> refused_by_grants(const std::vector<std::vector<GrantOutcome>>& chain,
                                         std::vector<Determining>& determining) {
    constexpr std::pair<Match, std::string_view> order[] = {{Match::kError, "policy_error"},
                                                            {Match::kCondition, "condition"},
                                                            {Match::kOtherDomain, "domain"},
                                                            {Match::kExpired, "expired"}};
    for (const auto& link : chain) {
        const auto grants = std::find_if(link.begin(), link.end(), [](const GrantOutcome& o) {
            return o.match == Match::kGrants;
        });
        if (grants != link.end()) {
            determining.push_back({grants->id, "grant"});
            continue;
        }
        Verdict verdict;
        verdict.code = "not_granted";
        verdict.reason = "no grant of the task names this tool";
        for (const auto& [match, code] : order) {
            const auto near = std::find_if(link.begin(), link.end(),
                                           [m = match](const auto& o) { return o.match == m; });
            if (near == link.end()) continue;
            verdict.granted = true;
            verdict.code = code;
            verdict.reason = fmt::format("{}: {}", near->id, near->detail);
            verdict.determining = {{near->id, "grant"}};
            break;
        }
        return verdict;
    }
    return std::nullopt;
}

std::string advice_for(std::string_view code) {
    constexpr std::pair<std::string_view, std::string_view> texts[] = {
        {"condition", "these arguments are outside what this task may do"},
        {"domain", "this resource is outside the data domains of this task"},
        {"expired", "the permission for this tool has expired"},
        {"held", "this call needs a person's approval, which is not available here"},
        {"policy_error", "this call could not be decided on and is refused"},
    };
    for (const auto& [key, text] : texts)
        if (key == code) return std::string(text);
    return "the organisation's policy does not permit this call";
}

class CedarEngine final : public Engine {
  public:
    CedarEngine(std::shared_ptr<const Loaded> loaded, Agents agents,
                std::shared_ptr<const cedar::Entities> standing,
                std::shared_ptr<const Shapes> shapes)
        : loaded_(std::move(loaded)),
          agents_(std::move(agents)),
          standing_(std::move(standing)),
          shapes_(std::move(shapes)) {}

    Verdict decide(const Question& question) const override;
    bool visible(const identity::Task& task, const catalog::Tool& tool) const override;
    const Sha256& digest() const override { return loaded_->digest; }
    json::Node explain(const Question& question) const override;
    std::size_t policies() const override { return loaded_->set.size(); }
    std::shared_ptr<const Engine> with(
        std::shared_ptr<const catalog::Snapshot> catalog) const override;

  private:
    Verdict weigh(const std::vector<cedar::PolicyOutcome>& outcomes) const;
    json::Node explain_policies(const std::vector<cedar::PolicyOutcome>& outcomes) const;

    std::shared_ptr<const Loaded> loaded_;
    Agents agents_;
    std::shared_ptr<const cedar::Entities> standing_;
    std::shared_ptr<const Shapes> shapes_;
};

Verdict CedarEngine::decide(const Question& question) const {
    Verdict verdict;
    std::vector<Determining> determining;
    const auto named = match_chain(question.task, question.tool, nullptr, question.now_us, nullptr);
    if (auto refused = refused_by_grants(named, determining)) {
        refused->advice = advice_for(refused->code);
        return std::move(*refused);
    }
    const auto prepared = prepare(question, *shapes_->of(question.tool), standing_);
    if (!prepared) {
        verdict.granted = true;
        verdict.code = "bad_argument";
        verdict.reason = prepared.error().detail;
        verdict.advice = prepared.error().detail;
        return verdict;
    }
    determining.clear();
    const auto chain =
        match_chain(question.task, question.tool, &question.resource, question.now_us, &*prepared);
    if (auto refused = refused_by_grants(chain, determining)) {
        refused->advice = advice_for(refused->code);
        return std::move(*refused);
    }
    verdict = weigh(cedar::evaluate(prepared->request, loaded_->set, prepared->entities));
    verdict.granted = true;
    verdict.determining.insert(verdict.determining.begin(), determining.begin(), determining.end());
    if (verdict.kind != Kind::kPermit) verdict.advice = advice_for(verdict.code);
    return verdict;
}

// docs/architecture.md, section 2, "How a policy says hold".
Verdict CedarEngine::weigh(const std::vector<cedar::PolicyOutcome>& outcomes) const {
    Verdict verdict;
    std::vector<Determining> permits, forbids, holding;
    std::set<Obligation> obligations;
    for (const auto& outcome : outcomes) {
        if (outcome.outcome == cedar::Outcome::kError)
            verdict.errors.push_back(outcome.policy + ": " + outcome.detail);
        if (outcome.outcome != cedar::Outcome::kSatisfied) continue;
        const Notes& notes = loaded_->notes.find(outcome.policy)->second;
        if (outcome.effect == cedar::Effect::kPermit) {
            permits.push_back({outcome.policy, "permit"});
            obligations.insert(notes.obligations.begin(), notes.obligations.end());
        } else if (notes.hold) {
            holding.push_back({outcome.policy, "forbid"});
            verdict.holds.push_back(*notes.hold);
        } else {
            forbids.push_back({outcome.policy, "forbid"});
        }
    }
    if (!forbids.empty()) {
        verdict.code = "forbidden";
        verdict.reason = "policy `" + forbids.front().id + "` forbids it";
        verdict.determining = std::move(forbids);
    } else if (!verdict.errors.empty()) {
        verdict.code = "policy_error";
        verdict.reason = "a policy could not be evaluated: " + verdict.errors.front();
    } else if (permits.empty()) {
        verdict.code = "no_permit";
        verdict.reason = "no policy permits it";
    } else if (!holding.empty()) {
        verdict.kind = Kind::kHold;
        verdict.code = "held";
        verdict.reason = "policy `" + holding.front().id + "` wants a person to decide";
        verdict.determining = std::move(holding);
    } else {
        verdict.kind = Kind::kPermit;
        verdict.code = "permitted";
        verdict.reason = "policy `" + permits.front().id + "` permits it";
        verdict.determining = std::move(permits);
        verdict.obligations.assign(obligations.begin(), obligations.end());
    }
    if (verdict.kind != Kind::kHold) verdict.holds.clear();
    return verdict;
}

bool CedarEngine::visible(const identity::Task& task, const catalog::Tool& tool) const {
    for (const identity::Task* link = &task; link != nullptr; link = link->parent_task.get()) {
        const auto& grants = link->spec.grants;
        if (std::none_of(grants.begin(), grants.end(),
                         [&](const identity::Grant& grant) { return names_tool(grant, tool); }))
            return false;
    }
    return !tool.changed &&
           loaded_->set.scope_may_permit(agent_uid(*task.agent), action_uid(tool), *standing_);
}

std::shared_ptr<const Engine> CedarEngine::with(
    std::shared_ptr<const catalog::Snapshot> catalog) const {
    auto standing = standing_entities(agents_, *catalog);
    if (!standing) return nullptr;
    return std::make_shared<CedarEngine>(
        loaded_, agents_, std::make_shared<const cedar::Entities>(std::move(*standing)),
        std::make_shared<const Shapes>(*catalog));
}

std::string_view match_name(Match match) {
    switch (match) {
        case Match::kGrants:
            return "grants";
        case Match::kOtherTool:
            return "names other tools";
        case Match::kExpired:
            return "expired";
        case Match::kOtherDomain:
            return "other domain";
        case Match::kCondition:
            return "condition is false";
        case Match::kError:
            return "error";
    }
    return "error";
}

std::string_view outcome_name(cedar::Outcome outcome) {
    switch (outcome) {
        case cedar::Outcome::kSatisfied:
            return "satisfied";
        case cedar::Outcome::kNotSatisfied:
            return "condition is false";
        case cedar::Outcome::kError:
            return "error";
        case cedar::Outcome::kScopeMismatch:
            return "scope does not match";
    }
    return "error";
}

json::Node CedarEngine::explain_policies(const std::vector<cedar::PolicyOutcome>& outcomes) const {
    json::Node list = json::Node::array();
    for (const auto& outcome : outcomes) {
        json::Node entry = json::Node::object();
        entry["id"] = outcome.policy;
        entry["effect"] = outcome.effect == cedar::Effect::kPermit ? "permit" : "forbid";
        entry["outcome"] = outcome_name(outcome.outcome);
        entry["detail"] = outcome.detail;
        const auto place = loaded_->places.find(outcome.policy);
        if (place != loaded_->places.end())
            entry["at"] = fmt::format("{}:{}", place->second.file, place->second.line);
        const auto notes = loaded_->notes.find(outcome.policy);
        if (notes != loaded_->notes.end() && notes->second.hold)
            entry["hold"] = *notes->second.hold;
        list.push_back(std::move(entry));
    }
    return list;
}

json::Node CedarEngine::explain(const Question& question) const {
    const Verdict verdict = decide(question);
    json::Node out = json::Node::object();
    out["verdict"] = name(verdict.kind);
    out["code"] = verdict.code;
    out["reason"] = verdict.reason;
    out["granted"] = verdict.granted;
    out["tool"] = question.tool.qualified();
    out["resource"] = question.resource.uri;
    json::Node domains = json::Node::array();
    for (const auto& domain : question.resource.domains) domains.push_back(domain);
    out["domains"] = std::move(domains);
    const auto prepared = prepare(question, *shapes_->of(question.tool), standing_);
    json::Node grants = json::Node::array();
    for (const auto& link : match_chain(question.task, question.tool, &question.resource,
                                        question.now_us, prepared ? &*prepared : nullptr)) {
        for (const auto& outcome : link) {
            json::Node entry = json::Node::object();
            entry["id"] = outcome.id;
            entry["effect"] = "grant";
            entry["outcome"] = match_name(outcome.match);
            entry["detail"] = outcome.detail;
            if (!outcome.grant->when.empty()) entry["when"] = outcome.grant->when;
            grants.push_back(std::move(entry));
        }
    }
    out["grants"] = std::move(grants);
    if (prepared)
        out["policies"] =
            explain_policies(cedar::evaluate(prepared->request, loaded_->set, prepared->entities));
    return out;
}

}  // namespace

std::string_view name(Kind kind) {
    switch (kind) {
        case Kind::kPermit:
            return "permit";
        case Kind::kHold:
            return "hold";
        case Kind::kForbid:
            return "forbid";
    }
    return "forbid";
}

Result<std::shared_ptr<const Engine>> Engine::make(
    Files files, const Agents& agents, std::shared_ptr<const catalog::Snapshot> catalog) {
    auto loaded = load(std::move(files));
    if (!loaded) return fail(loaded.error());
    auto standing = standing_entities(agents, *catalog);
    if (!standing) return fail(standing.error());
    return std::make_shared<CedarEngine>(
        std::move(*loaded), agents, std::make_shared<const cedar::Entities>(std::move(*standing)),
        std::make_shared<const Shapes>(*catalog));
}

}  // namespace writ::policy

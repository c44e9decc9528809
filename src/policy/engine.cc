#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/cedar_engine.h"

namespace writ::policy {
namespace {

// An error in any grant that is about this call forbids it. Else the first link none of whose
// grants allows the call decides how it is refused; the mildest mismatch of that link tells why.
std::optional<Verdict> refused_by_grants(const std::vector<std::vector<GrantOutcome>>& chain,
                                         std::vector<Determining>& determining) {
    constexpr std::pair<Match, std::string_view> order[] = {{Match::kError, "policy_error"},
                                                            {Match::kCondition, "condition"},
                                                            {Match::kOtherDomain, "domain"},
                                                            {Match::kExpired, "expired"}};
    const auto with = [](const std::vector<GrantOutcome>& link, Match match) {
        return std::find_if(link.begin(), link.end(),
                            [match](const GrantOutcome& o) { return o.match == match; });
    };
    for (const auto& link : chain) {
        const auto grants = with(link, Match::kGrants);
        const bool err = with(link, Match::kError) != link.end();
        if (grants != link.end() && !err) {
            determining.push_back({grants->id, "grant"});
            continue;
        }
        Verdict verdict;
        verdict.code = "not_granted";
        verdict.reason = "no grant of the task names this tool";
        for (const auto& [match, code] : order) {
            const auto near = with(link, match);
            if (near == link.end()) continue;
            verdict.granted = true;
            verdict.code = code;
            verdict.reason = fmt::format("{}: {}", near->id, near->detail);
            verdict.determining = {{near->id, "grant"}};
            if (match == Match::kError) verdict.errors = {verdict.reason};
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
        {"policy_invalid", "the organisation's policy for this tool is being repaired"},
    };
    for (const auto& [key, text] : texts)
        if (key == code) return std::string(text);
    return "the organisation's policy does not permit this call";
}

// What the policies came to, taken together (docs/architecture.md, section 2, "How a policy says
// hold").
class Weighing {
  public:
    void permits(std::string_view id, const Notes& notes) {
        permits_.push_back({std::string(id), "permit"});
        obligations_.insert(notes.obligations.begin(), notes.obligations.end());
    }
    void forbids(std::string_view id, const Notes& notes) {
        if (notes.hold) {
            holding_.push_back({std::string(id), "forbid"});
            holds_.push_back(*notes.hold);
        } else {
            forbids_.push_back({std::string(id), "forbid"});
        }
    }
    void errs(std::string_view id, std::string_view why) {
        errors_.push_back(fmt::format("{}: {}", id, why));
    }

    Verdict verdict() {
        Verdict out;
        out.errors = errors_;
        if (!forbids_.empty()) {
            out.code = "forbidden";
            out.reason = "policy `" + forbids_.front().id + "` forbids it";
            out.determining = std::move(forbids_);
        } else if (!errors_.empty()) {
            out.code = "policy_error";
            out.reason = "a policy could not be evaluated: " + errors_.front();
        } else if (permits_.empty()) {
            out.code = "no_permit";
            out.reason = "no policy permits it";
        } else if (!holding_.empty()) {
            out.kind = Kind::kHold;
            out.code = "held";
            out.reason = "policy `" + holding_.front().id + "` wants a person to decide";
            out.determining = std::move(holding_);
            out.holds = std::move(holds_);
        } else {
            out.kind = Kind::kPermit;
            out.code = "permitted";
            out.reason = "policy `" + permits_.front().id + "` permits it";
            out.determining = std::move(permits_);
            out.obligations.assign(obligations_.begin(), obligations_.end());
        }
        return out;
    }

  private:
    std::vector<Determining> permits_, forbids_, holding_;
    std::set<Obligation> obligations_;
    std::vector<std::string> holds_, errors_;
};

void weigh(Weighing& into, const Prepared& prepared, const Loaded& loaded,
           std::string_view without) {
    thread_local cedar::Scratch scratch;
    const cedar::Answer answer =
        cedar::authorize(prepared.request, loaded.set, prepared.entities, scratch);
    const auto notes = [&loaded](std::string_view id) -> const Notes& {
        return loaded.notes.find(id)->second;
    };
    for (const std::string_view id : answer.permits)
        if (id != without) into.permits(id, notes(id));
    for (const std::string_view id : answer.forbids)
        if (id != without) into.forbids(id, notes(id));
    for (const auto& error : answer.errors)
        if (error.policy != without) into.errs(error.policy, error.message);
}

}  // namespace

CedarEngine::CedarEngine(std::shared_ptr<const Loaded> loaded, Agents agents, EngineOptions options,
                         std::shared_ptr<const cedar::Entities> standing,
                         std::shared_ptr<const catalog::Snapshot> catalog,
                         std::shared_ptr<const Shapes> shapes,
                         std::shared_ptr<const CheckReport> report)
    : loaded_(std::move(loaded)),
      agents_(std::move(agents)),
      options_(std::move(options)),
      standing_(std::move(standing)),
      catalog_(std::move(catalog)),
      shapes_(std::move(shapes)),
      report_(std::move(report)) {}

const CedarEngine* CedarEngine::from(const Engine& engine) {
    return dynamic_cast<const CedarEngine*>(&engine);
}

Result<Prepared> CedarEngine::prepared(const Question& question) const {
    return prepare(question, *shapes_->of(question.tool), standing_);
}

const std::string* CedarEngine::broken_by(const catalog::Tool& tool) const {
    if (report_->broken.empty()) return nullptr;
    const auto found = report_->broken.find(tool.qualified());
    return found == report_->broken.end() ? nullptr : &found->second;
}

Verdict CedarEngine::decide(const Question& question) const {
    return decide_with(question, {}, nullptr);
}

Verdict CedarEngine::decide_with(const Question& question, std::string_view without,
                                 const Loaded* more) const {
    Verdict verdict;
    std::vector<Determining> determining;
    auto plain = plainly_granted(question.task, question.tool, question.resource, question.now_us);
    if (!plain) {
        const auto named =
            match_chain(question.task, question.tool, nullptr, question.now_us, nullptr);
        if (auto refused = refused_by_grants(named, determining)) {
            refused->advice = advice_for(refused->code);
            return std::move(*refused);
        }
    }
    verdict.granted = true;
    if (const std::string* broken = broken_by(question.tool)) {
        verdict.code = "policy_invalid";
        verdict.reason = "a policy does not fit this tool: " + *broken;
        verdict.errors = {*broken};
        verdict.advice = advice_for(verdict.code);
        return verdict;
    }
    const auto prepared = this->prepared(question);
    if (!prepared) {
        verdict.code = "bad_argument";
        verdict.reason = prepared.error().detail;
        verdict.advice = prepared.error().detail;
        return verdict;
    }
    if (plain) {
        determining = std::move(*plain);
    } else {
        determining.clear();
        const auto chain = match_chain(question.task, question.tool, &question.resource,
                                       question.now_us, &*prepared);
        if (auto refused = refused_by_grants(chain, determining)) {
            refused->advice = advice_for(refused->code);
            return std::move(*refused);
        }
    }
    Weighing weighing;
    weigh(weighing, *prepared, *loaded_, without);
    if (more != nullptr) weigh(weighing, *prepared, *more, {});
    verdict = weighing.verdict();
    verdict.granted = true;
    verdict.determining.insert(verdict.determining.begin(), determining.begin(), determining.end());
    if (verdict.kind != Kind::kPermit) verdict.advice = advice_for(verdict.code);
    return verdict;
}

bool CedarEngine::visible(const identity::Task& task, const catalog::Tool& tool) const {
    for (const identity::Task* link = &task; link != nullptr; link = link->parent_task.get()) {
        const auto& grants = link->spec.grants;
        if (std::none_of(grants.begin(), grants.end(),
                         [&](const identity::Grant& grant) { return names_tool(grant, tool); }))
            return false;
    }
    return loaded_->set.scope_may_permit(agent_uid(*task.agent), action_uid(tool), *standing_);
}

std::shared_ptr<const Engine> CedarEngine::with(
    std::shared_ptr<const catalog::Snapshot> catalog) const {
    auto made = make(loaded_, agents_, options_, std::move(catalog), report_);
    return made ? std::move(*made) : nullptr;
}

Result<std::shared_ptr<const Engine>> CedarEngine::make(
    std::shared_ptr<const Loaded> loaded, const Agents& agents, const EngineOptions& options,
    std::shared_ptr<const catalog::Snapshot> catalog, std::shared_ptr<const CheckReport> before) {
    auto standing = standing_entities(agents, *catalog);
    if (!standing) return fail(standing.error());
    auto shapes = std::make_shared<const Shapes>(*catalog);
    auto report = check_types(*loaded, *catalog, *shapes, options, std::move(before));
    return std::make_shared<const CedarEngine>(
        std::move(loaded), agents, options,
        std::make_shared<const cedar::Entities>(std::move(*standing)), std::move(catalog),
        std::move(shapes), std::move(report));
}

const CheckReport& Engine::report() const {
    static const CheckReport none;
    return none;
}

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

Result<std::shared_ptr<const Engine>> Engine::make(PolicyFiles files, const Agents& agents,
                                                   std::shared_ptr<const catalog::Snapshot> catalog,
                                                   const EngineOptions& options) {
    auto loaded = load(std::move(files));
    if (!loaded) return fail(loaded.error());
    return CedarEngine::make(std::move(*loaded), agents, options, std::move(catalog), nullptr);
}

}  // namespace writ::policy

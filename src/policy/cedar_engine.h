// The engine behind policy::Engine. Inner header of the room.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cedar/validator.h"
#include "policy/check.h"
#include "policy/grants.h"
#include "policy/load.h"
#include "policy/policy.h"
#include "policy/request.h"
#include "policy/schema.h"

namespace writ::policy {

using Agents = std::vector<std::shared_ptr<const identity::Agent>>;

class CedarEngine final : public Engine {
  public:
    CedarEngine(std::shared_ptr<const Loaded> loaded, Agents agents, EngineOptions options,
                std::shared_ptr<const cedar::Entities> standing,
                std::shared_ptr<const catalog::Snapshot> catalog,
                std::shared_ptr<const Shapes> shapes, std::shared_ptr<const CheckReport> report);
    // `before`: the report of the same policies over another catalog, or null.
    static Result<std::shared_ptr<const Engine>> make(
        std::shared_ptr<const Loaded> loaded, const Agents& agents, const EngineOptions& options,
        std::shared_ptr<const catalog::Snapshot> catalog,
        std::shared_ptr<const CheckReport> before);
    // Null for an engine of another kind.
    static const CedarEngine* from(const Engine& engine);

    Verdict decide(const Question& question) const override;
    bool visible(const identity::Task& task, const catalog::Tool& tool) const override;
    bool possible(const identity::Task& task, const catalog::Tool& tool,
                  std::int64_t now_us) const override;
    Status check_grants(const std::vector<identity::Grant>& grants) const override;
    const Sha256& digest() const override { return loaded_->digest; }
    json::Node explain(const Question& question) const override;
    std::size_t policies() const override { return loaded_->set.size(); }
    std::shared_ptr<const catalog::Snapshot> catalog() const override { return catalog_; }
    std::shared_ptr<const Engine> with(
        std::shared_ptr<const catalog::Snapshot> catalog) const override;
    const CheckReport& report() const override { return *report_; }

    // What explanations, cases and single changes look at.
    const cedar::PolicySet& set() const { return loaded_->set; }
    const Loaded& loaded() const { return *loaded_; }
    const Shapes& shapes() const { return *shapes_; }
    const EngineOptions& options() const { return options_; }
    Result<Prepared> prepared(const Question& question) const;
    // decide(), with one policy left out and others added: what would be if the set were so.
    Verdict decide_with(const Question& question, std::string_view without,
                        const Loaded* more) const;

  private:
    // Why the policies do not fit the tool; null where they do.
    const std::string* broken_by(const catalog::Tool& tool) const;
    const cedar::Validator* validator() const;

    std::shared_ptr<const Loaded> loaded_;
    Agents agents_;
    EngineOptions options_;
    std::shared_ptr<const cedar::Entities> standing_;
    std::shared_ptr<const catalog::Snapshot> catalog_;
    std::shared_ptr<const Shapes> shapes_;
    std::shared_ptr<const CheckReport> report_;
    // The report's schema, parsed when the first grant with a condition is checked.
    mutable std::once_flag schema_once_;
    mutable std::unique_ptr<const cedar::Validator> validator_;
};

// The names that an agent, an explanation and a report give to outcomes.
std::string_view name(Match match);
std::string_view name(cedar::Outcome outcome);

}  // namespace writ::policy

// One call described in words, for `writ policy authorize`, `test` and `explain`: who, for whom,
// which tool, which arguments, under which grants. Posing it against a world answers as the gate
// would (catalog first, then the engine), without a gateway.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "identity/types.h"
#include "policy/policy.h"

namespace writ::policy {

// What a question is asked of.
struct World {
    std::vector<std::shared_ptr<const identity::Agent>> agents;
    std::shared_ptr<const catalog::Snapshot> catalog;
    std::shared_ptr<const Engine> engine;
};

struct Scenario {
    std::string agent;    // name; empty: the first of the world
    std::string subject;  // empty: `person:alice`
    std::string purpose;
    std::string tool;              // `server/tool`
    std::string arguments = "{}";  // JSON
    // The grants of the task's chain, from the root down; empty: one task, granted this tool.
    std::vector<std::vector<identity::Grant>> chain;
    std::optional<std::int64_t> now_us;  // empty: the epoch of tests, 2026-01-01T12:00:00Z
    bool charter_changed = false;

    // `grants` as a JSON array of grants (identity::TaskSpec). Errors: kInvalid with its path.
    static Result<std::vector<identity::Grant>> grants_from(std::string_view json);
};

inline constexpr std::int64_t kScenarioNow_us = 1'767'268'800'000'000;

// A scenario made into a question; owns everything that the question borrows.
class Posed {
  public:
    // Errors: kNotFound (no such agent or tool, with what there is), kInvalid (arguments that are
    // no JSON).
    static Result<Posed> make(const Scenario& scenario, const World& world);
    // The same call with other arguments or another task. Errors: kInvalid.
    Result<Posed> with_arguments(std::string arguments) const;
    Posed with_task(std::shared_ptr<const identity::Task> task) const;

    // Nothing where the catalog already refuses; the verdict says why then.
    std::optional<Question> question() const;
    Verdict decide(const Engine& engine) const;
    // As Engine::explain; where the catalog refuses, only the verdict.
    json::Node explain(const Engine& engine) const;

    const identity::Task& task() const { return *task_; }
    const std::string& arguments() const { return *arguments_; }
    const catalog::Tool& tool() const { return *tool_; }

    // From the parts, as the admin desk has them.
    static Result<Posed> of(std::shared_ptr<const identity::Task> task,
                            std::shared_ptr<const catalog::Tool> tool,
                            std::shared_ptr<const catalog::Snapshot> catalog, std::string arguments,
                            std::int64_t now_us, bool charter_changed);

  private:
    Posed() = default;
    Status read_arguments(std::string text);

    std::shared_ptr<const identity::Task> task_;
    std::shared_ptr<const catalog::Tool> tool_;
    std::shared_ptr<const catalog::Snapshot> catalog_;
    std::shared_ptr<const std::string> arguments_;
    std::shared_ptr<const json::Document> document_;
    std::optional<json::Value> root_;  // what questions borrow
    std::optional<catalog::Resource> resource_;
    std::optional<Verdict> refused_;  // by the catalog
    std::int64_t now_us_ = 0;
    bool charter_changed_ = false;
};

// check_all() over the policies of a world; empty for an engine of another kind.
CheckReport check_world(const World& world);
// The source of every policy, by id.
std::map<std::string, std::string> texts_of(const World& world);

}  // namespace writ::policy

// The Gate's one implementation: gate.cc holds the pipeline of a call, sessions.cc the life of
// tasks and sessions. Inner header of the room.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gate/gate.h"
#include "gate/home.h"
#include "gate/passage.h"
#include "gate/survival.h"

namespace writ::gate {

class Core final : public Gate, public Survival {
  public:
    Core(std::vector<Home> homes, std::shared_ptr<Shared> shared);
    ~Core() override;
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    net::Task<Answer> admit(Call call) override;
    net::Task<std::vector<std::shared_ptr<const catalog::Tool>>> visible(
        identity::SessionPtr session) override;
    net::Task<bool> serves(identity::SessionPtr session, std::string server) override;
    void turned_away(const identity::SessionPtr& session) override;
    void set_engine(std::shared_ptr<const policy::Engine> engine) override;
    std::shared_ptr<const policy::Engine> engine() const override;
    void guard(std::shared_ptr<const Secrets> secrets) override;
    Home home(const TaskId& root) const override;
    net::Task<Spent> spent(TaskId task) override;
    net::Task<void> restore(TaskId task, Spent spent) override;
    net::Task<Status> sweep() override;
    net::Task<Result<identity::TaskPtr>> start_task(identity::TaskSpec spec, evidence::Actor by,
                                                    identity::TaskPtr parent) override;
    net::Task<Status> end_task(TaskId id, identity::TaskState how, evidence::Actor by,
                               std::string reason) override;
    net::Task<Result<identity::SessionPtr>> open_session(identity::TaskPtr task,
                                                         identity::Binding binding,
                                                         std::string bound_to) override;
    net::Task<Status> end_session(identity::SessionPtr session, std::string reason) override;
    Totals totals() const override;

    // survival.cc
    Survival* survival() override { return this; }
    void on_started(Keep keep) override { keep_ = std::move(keep); }
    std::size_t homes() const override { return homes_.size(); }
    net::Task<std::optional<Standing>> standing(std::size_t home) override;
    net::Task<Status> revive(Revival revival) override;
    net::Task<Status> resume_session(identity::SessionPtr session) override;
    net::Task<std::size_t> open_calls() override;
    net::Task<void> abandon_calls(std::string why) override;

  private:
    HomeState& state(const TaskId& root) const;
    TaskId root_of(const TaskId& task) const;

    // gate.cc: the stages, at home. Those that may stop a call name the refusal; the verdict is in
    // the passage.
    net::Task<Answer> pass(HomeState& home, PassagePtr passage);
    std::shared_ptr<const catalog::Snapshot> catalog_of(const policy::Engine& engine) const;
    std::optional<RefusalKind> resolve(Passage& passage) const;
    Status read_arguments(Passage& passage, const catalog::Snapshot& snapshot) const;
    std::optional<RefusalKind> judge(Passage& passage) const;
    std::optional<RefusalKind> charge(HomeState& home, Passage& passage) const;
    net::Task<Answer> refuse(HomeState& home, PassagePtr passage, RefusalKind kind);
    void record_meanwhile(HomeState& home, const PassagePtr& passage, evidence::Draft draft) const;
    Answer recheck(HomeState& home, const PassagePtr& passage);
    Answer turn_away(std::string_view code) const;
    HomeState& home_here() const;
    void note_stranger(std::string_view code) const;

    // sessions.cc: records the death of what is dead in memory.
    net::Task<Status> bury(HomeState& home, TaskId id, identity::TaskPtr task,
                           identity::TaskState how, evidence::Actor by, std::string reason);
    net::Task<Status> seal(HomeState& home, identity::SessionPtr session, std::string word,
                           std::string reason);
    void queue_seals(HomeState& home, const std::vector<identity::SessionPtr>& sessions,
                     const std::string& word, const std::string& reason,
                     std::vector<Ticket>& tickets);

    std::shared_ptr<Shared> shared_;
    std::vector<std::shared_ptr<HomeState>> homes_;
    Keep keep_;
};

// Waits for all. Errors: kUnavailable if one of them failed.
net::Task<Status> all_of(std::vector<Ticket> tickets);

}  // namespace writ::gate

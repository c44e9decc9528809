#include "gate/tree.h"

#include <algorithm>
#include <utility>

#include "gate/standing.h"

namespace writ::gate {

namespace {

bool is_within(const identity::Task& task, const TaskId& id) {
    for (const identity::Task* t = &task; t != nullptr; t = t->parent_task.get()) {
        if (t->id == id) return true;
    }
    return false;
}

}  // namespace

void Tree::know(const identity::TaskPtr& task) {
    for (identity::TaskPtr t = task; t; t = t->parent_task) {
        Link& link = links_[t->id];
        if (link.task) return;  // and so are those above it
        link.task = t;
    }
}

const Tree::Link* Tree::find(const TaskId& id) const {
    const auto it = links_.find(id);
    return it == links_.end() ? nullptr : &it->second;
}

std::vector<identity::TaskPtr> Tree::unended_below(const TaskId& id) const {
    std::vector<identity::TaskPtr> out;
    for (const auto& [key, link] : links_) {
        if (!link.ended && link.task && is_within(*link.task, id)) out.push_back(link.task);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return b->id < a->id; });
    return out;
}

std::optional<BudgetLine> Tree::exhausted(const identity::Task& task) const {
    for (const identity::Task* t = &task; t != nullptr; t = t->parent_task.get()) {
        const std::int64_t limit = t->spec.budget.calls;
        if (limit <= 0) continue;
        const Link* link = find(t->id);
        const std::int64_t used = link != nullptr ? link->spent.calls : 0;
        if (used < limit) continue;
        return BudgetLine{used, limit, t->id};
    }
    return std::nullopt;
}

BudgetLine Tree::debit(const identity::Session& session) {
    const identity::Task& task = *session.task;
    if (Chain* own = chain(session.id)) ++own->spent.calls;
    BudgetLine tightest{links_[task.id].spent.calls + 1, 0, task.id};
    for (const identity::Task* t = &task; t != nullptr; t = t->parent_task.get()) {
        const std::int64_t limit = t->spec.budget.calls;
        const std::int64_t used = ++links_[t->id].spent.calls;
        const bool tighter = tightest.limit == 0 || limit - used < tightest.limit - tightest.calls;
        if (limit > 0 && tighter) tightest = {used, limit, t->id};
    }
    return tightest;
}

void Tree::credit(const identity::Session& session) {
    for (const identity::Task* t = session.task.get(); t != nullptr; t = t->parent_task.get()) {
        --links_[t->id].spent.calls;
    }
    if (Chain* own = chain(session.id)) --own->spent.calls;
}

std::optional<TaskId> Tree::deny(const identity::Session& session, bool excused) {
    const identity::Task& task = *session.task;
    const auto count = [excused](Spent& spent) {
        ++spent.denied;
        if (excused) ++spent.excused;
    };
    for (const identity::Task* t = &task; t != nullptr; t = t->parent_task.get()) {
        count(links_[t->id].spent);
    }
    if (Chain* own = chain(session.id)) count(own->spent);
    if (excused) {
        const bool endless = links_[task.root].spent.excused >= kMaxExcused_per_tree;
        return endless ? std::optional(task.root) : std::nullopt;
    }
    if (links_[task.root].spent.strikes() >= kMaxDenials_per_tree) return task.root;
    if (++links_[task.id].own_denied >= kMaxDenials_per_task) return task.id;
    return std::nullopt;
}

Tree::Chain* Tree::chain(const SessionId& id) {
    const auto it = chains_.find(id);
    return it == chains_.end() ? nullptr : &it->second;
}

const Tree::Chain* Tree::chain(const SessionId& id) const {
    const auto it = chains_.find(id);
    return it == chains_.end() ? nullptr : &it->second;
}

void Tree::describe(std::vector<TaskStanding>& out) const {
    std::unordered_map<TaskId, Spent> open;  // of open chains, over their subtrees
    std::unordered_map<TaskId, std::int64_t> own;
    for (const auto& [id, chain] : chains_) {
        own[chain.session->task->id] += chain.spent.strikes();
        for (const identity::Task* t = chain.session->task.get(); t != nullptr;
             t = t->parent_task.get()) {
            Spent& sum = open[t->id];
            sum.calls += chain.spent.calls;
            sum.denied += chain.spent.denied;
            sum.excused += chain.spent.excused;
        }
    }
    for (const auto& [id, link] : links_) {
        if (!link.task || !link.start_recorded || link.end_recorded) continue;
        const Spent& less = open[id];
        TaskStanding standing;
        standing.id = id;
        standing.parent = link.task->parent;
        standing.spent = {link.spent.calls - less.calls, link.spent.denied - less.denied,
                          link.spent.excused - less.excused};
        standing.own_denied = link.own_denied - own[id];
        standing.state = link.task->state.load();
        out.push_back(standing);
    }
}

Tree::Chain& Tree::open_chain(identity::SessionPtr session, evidence::ActorRef actor) {
    Chain& chain = chains_[session->id];
    chain.session = std::move(session);
    chain.actor = std::move(actor);
    return chain;
}

std::vector<identity::SessionPtr> Tree::chains_below(const TaskId& id) const {
    std::vector<identity::SessionPtr> out;
    for (const auto& [key, chain] : chains_) {
        if (is_within(*chain.session->task, id)) out.push_back(chain.session);
    }
    return out;
}

std::optional<Tree::Chain> Tree::seal(const SessionId& id) {
    auto node = chains_.extract(id);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
}

bool Tree::forgettable(const TaskId& root, std::int64_t boot_us) const {
    if (live > 0 || !chains_.empty()) return false;
    const Link* link = find(root);
    return link == nullptr || !link->task || !link->task->live(boot_us);
}

}  // namespace writ::gate

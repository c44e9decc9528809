#include "gate/passage.h"

#include <utility>

#include "base/check.h"

namespace writ::gate {

namespace {

constexpr std::string_view kNoSuchTool =
    "there is no such tool here; list the tools to see what this task may use";

}  // namespace

std::string_view name(RefusalKind kind) {
    switch (kind) {
        case RefusalKind::kUnauthenticated:
            return "unauthenticated";
        case RefusalKind::kUnknown:
            return "unknown";
        case RefusalKind::kForbidden:
            return "forbidden";
        case RefusalKind::kUnrecordable:
            return "unrecordable";
        case RefusalKind::kInvalid:
            return "invalid";
    }
    return {};
}

std::string_view name(Status_ status) {
    switch (status) {
        case Status_::kOk:
            return "ok";
        case Status_::kToolError:
            return "tool_error";
        case Status_::kProtocolError:
            return "protocol_error";
        case Status_::kTimeout:
            return "timeout";
        case Status_::kCancelled:
            return "cancelled";
        case Status_::kBlocked:
            return "blocked";
        case Status_::kUnknown:
            return "unknown";
    }
    return "unknown";
}

Engines::Engines(std::shared_ptr<const policy::Engine> engine, std::int64_t boot_us)
    : engine_(std::move(engine)), since_boot_us_(boot_us) {
    WRIT_CHECK(engine_ != nullptr);
}

void Engines::set(std::shared_ptr<const policy::Engine> engine, std::int64_t boot_us) {
    WRIT_CHECK(engine != nullptr);
    const std::lock_guard lock(mutex_);
    engine_.swap(engine);
    since_boot_us_ = boot_us;
    epoch_.fetch_add(1, std::memory_order_release);
}

EngineAt Engines::get() const {
    const std::lock_guard lock(mutex_);
    return {engine_, epoch_.load(std::memory_order_relaxed), since_boot_us_};
}

void Engines::refresh(EngineAt& at) const {
    if (!is_current(at)) at = get();
}

std::string_view death(const identity::Session& session, std::int64_t boot_us) {
    if (session.live(boot_us)) return {};
    using identity::TaskState;
    bool ended = false, expired = boot_us >= session.expires_boot_us.load();
    for (const identity::Task* t = session.task.get(); t != nullptr; t = t->parent_task.get()) {
        const TaskState state = t->state.load();
        if (state == TaskState::kRevoked) return "revoked";
        ended = ended || state == TaskState::kEnded;
        expired = expired || state == TaskState::kExpired || boot_us >= t->deadline_boot_us;
    }
    return expired && !ended ? "expired" : "ended";
}

policy::Verdict forbid(std::string code, std::string reason, std::string advice, bool granted) {
    policy::Verdict verdict;
    verdict.code = std::move(code);
    verdict.reason = std::move(reason);
    verdict.advice = std::move(advice);
    verdict.granted = granted;
    return verdict;
}

policy::Verdict decide(const Passage& passage, const EngineAt& at, std::int64_t now_us,
                       Patterns& patterns) {
    WRIT_CHECK(passage.tool && passage.document && passage.resource);
    const json::Value arguments = passage.document->root();
    const policy::Question question{.task = passage.task(),
                                    .tool = *passage.tool,
                                    .resource = *passage.resource,
                                    .arguments = arguments,
                                    .now_us = now_us};
    policy::Verdict verdict = at.engine->decide(question);
    if (verdict.kind == policy::Kind::kForbid) {
        if (verdict.advice.empty()) verdict.advice = "this call is not permitted";
        return verdict;
    }
    // What an engine never says: believed only where it narrows.
    if (!verdict.granted || !verdict.errors.empty()) {
        verdict.kind = policy::Kind::kForbid;
        verdict.code = verdict.granted ? "policy_error" : "not_granted";
        verdict.advice = "this call is not permitted";
        return verdict;
    }
    if (verdict.kind == policy::Kind::kHold) {
        verdict.code = "held";
        verdict.advice = "this call needs a person's approval, which is not available here";
        return verdict;
    }
    if (verdict.obligations.empty()) return verdict;
    if (const auto duties = duties_of(verdict.obligations, patterns); !duties) {
        verdict.kind = policy::Kind::kForbid;
        verdict.code = "obligation";
        verdict.reason = "permitted only under an obligation that this gateway cannot carry out: " +
                         duties.error().detail + ": " + verdict.reason;
        verdict.advice = "this call is permitted only under a condition that cannot be met here";
    }
    return verdict;
}

policy::Verdict decide_anew(const Passage& passage, const EngineAt& at, std::int64_t now_us,
                            Patterns& patterns) {
    const auto known = at.engine->catalog();
    if (known == nullptr) return decide(passage, at, now_us, patterns);
    const catalog::Tool& was = *passage.tool;
    const auto tool = known->by_qualified(was.qualified());
    bool same = tool && !tool->changed && tool->pin == was.pin && tool->effect == was.effect &&
                tool->rule == was.rule;
    if (same) {
        const auto resource = known->resource(*tool, passage.document->root());
        same = resource && *resource == *passage.resource;
    }
    if (same) return decide(passage, at, now_us, patterns);
    return forbid("policy_changed", "the tool or the rules about it changed",
                  "the rules changed just now; try again", true);
}

bool is_redefined(const Passage& passage, const EngineAt& at) {
    if (at.epoch == passage.engine.epoch || !passage.tool) return false;
    const auto known = at.engine->catalog();
    const auto tool = known ? known->by_qualified(passage.tool->qualified()) : nullptr;
    return tool && tool->pin != passage.tool->pin;
}

Refusal refusal_of(RefusalKind kind, policy::Verdict verdict) {
    Refusal refusal;
    refusal.kind = kind;
    if (kind == RefusalKind::kUnknown) {
        verdict = forbid("unknown_tool", "no such tool", std::string(kNoSuchTool), false);
    }
    refusal.advice = verdict.advice;
    refusal.verdict = std::move(verdict);
    return refusal;
}

}  // namespace writ::gate

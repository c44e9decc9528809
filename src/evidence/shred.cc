#include "evidence/shred.h"

#include <algorithm>

namespace writ::evidence {

namespace {

// Keys named in one event of at most 16 KiB.
constexpr std::size_t kKidsPerEvent = 256;
constexpr std::size_t kMaxReasonBytes = 1024;

Draft draft_of(const ShredRequest& request, const Shredding& plan, std::size_t from) {
    Draft draft;
    draft.type = "payload.shredded";
    draft.actor = request.by;
    draft.data["subject"] = request.subject;
    draft.data["reason"] = request.reason.substr(0, kMaxReasonBytes);
    if (!request.before.empty()) draft.data["before"] = request.before;
    const std::size_t to = std::min(from + kKidsPerEvent, plan.kids.size());
    draft.data["part"] = from / kKidsPerEvent + 1;
    draft.data["parts"] = (plan.kids.size() + kKidsPerEvent - 1) / kKidsPerEvent;
    draft.data["kids"] = json::Node::array();
    for (std::size_t i = from; i < to; ++i) draft.data["kids"].push_back(plan.kids[i]);
    draft.data["months"] = json::Node::array();
    for (const auto& month : plan.months) draft.data["months"].push_back(month);
    return draft;
}

}  // namespace

net::Task<Result<Shredded>> shred(Recorder& recorder, Vault& vault, net::Reactor& reactor,
                                  ShredRequest request) {
    if (request.subject.empty() || request.reason.empty()) {
        co_return fail(ErrorCode::kInvalid, "shredding needs a subject and a reason");
    }
    Vault* const keys = &vault;
    const std::string subject = request.subject, before = request.before;
    auto look = [keys, subject, before] { return keys->plan_shredding(subject, before); };
    auto plan = co_await reactor.offload(std::move(look));
    if (!plan) co_return fail(plan.error());
    Shredded out{*plan, {}};
    if (request.dry_run || plan->kids.empty()) co_return out;
    for (std::size_t from = 0; from < plan->kids.size(); from += kKidsPerEvent) {
        Draft draft = draft_of(request, *plan, from);
        auto recorded = co_await recorder.record(std::move(draft));
        if (!recorded) co_return fail(recorded.error().in("nothing was shredded"));
        out.events.push_back(recorded->event);
    }
    const Shredding doomed = *plan;
    auto act = [keys, subject, doomed] { return keys->shred(subject, doomed); };
    const Status done = co_await reactor.offload(std::move(act));
    if (!done) co_return fail(done.error().in("recorded, but keys are left; ask again"));
    co_return out;
}

}  // namespace writ::evidence

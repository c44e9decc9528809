#include "identity/writ_token.h"

#include <algorithm>

#include "base/clock.h"
#include "crypto/hash.h"
#include "identity/limits.h"
#include "identity/narrowing.h"
#include "json/node.h"
#include "json/value.h"

namespace writ::identity {

namespace {

tl::unexpected<Error> refused(std::string detail) {
    return fail(ErrorCode::kUnauthenticated, std::move(detail));
}

const Task& root_of(const Task& task) {
    const Task* root = &task;
    while (root->parent_task) root = root->parent_task.get();
    return *root;
}

bool autonomous(const Task& task) {
    return task.spec.subject.starts_with("agent:");
}

// `sub`: the person, or the SPIFFE id of the root task's agent where it acts for itself.
std::string subject_of(const Task& task) {
    return autonomous(task) ? root_of(task).agent->spiffe_id : task.spec.subject;
}

// The actors that came before, nearest outermost (RFC 8693 section 4.1). The root's agent is left
// out where it is the subject itself. Null when there are none.
json::Node prior_actors(const Task* task) {
    if (task == nullptr || (!task->parent_task && autonomous(*task))) return {};
    json::Node act = json::Node::object();
    act["sub"] = task->agent->spiffe_id;
    json::Node before = prior_actors(task->parent_task.get());
    if (!before.is_null()) act["act"] = std::move(before);
    return act;
}

json::Node authority(const Task& task) {
    json::Node out = json::Node::array();
    for (const Grant& grant : task.spec.grants) {
        json::Node detail = json::Node::object();
        detail["type"] = "writ_task";
        detail["tools"] = json::Node::array_of(grant.tools);
        if (!grant.domains.empty()) detail["domains"] = json::Node::array_of(grant.domains);
        if (task.spec.budget.calls != 0) detail["max_calls"] = task.spec.budget.calls;
        detail["not_after"] =
            std::min(until(grant, task.deadline_us).expires_s, task.deadline_us / kSecond_us);
        if (!grant.when.empty()) detail["when_hash"] = digest_text(crypto::sha256(grant.when));
        out.push_back(std::move(detail));
    }
    return out;
}

template <class T>
std::optional<T> id_in(const std::optional<std::string_view>& text) {
    return text ? T::parse(*text) : std::nullopt;
}

}  // namespace

std::string writ_claims(const Session& session, const WritScope& scope, std::int64_t now_us) {
    const Task& task = *session.task;
    json::Node claims = json::Node::object();
    claims["iss"] = scope.issuer;
    claims["aud"] = scope.audience;
    claims["iat"] = now_us / kSecond_us;
    claims["nbf"] = now_us / kSecond_us;
    claims["exp"] = session.expires_us.load() / kSecond_us;
    claims["jti"] = session.writ.text();
    claims["sub"] = subject_of(task);
    claims["client_id"] = task.agent->spiffe_id;
    if (!autonomous(task) || task.parent_task) {
        json::Node act = json::Node::object();
        act["sub"] = task.agent->spiffe_id + "/run/" + session.id.text();
        json::Node before = prior_actors(task.parent_task.get());
        if (!before.is_null()) act["act"] = std::move(before);
        claims["act"] = std::move(act);
    }
    claims["authorization_details"] = authority(task);
    json::Node& about = claims[kTaskClaim];
    about["id"] = task.id.text();
    about["root"] = task.root.text();
    if (task.parent) about["parent"] = task.parent->text();
    about["depth"] = task.depth;
    about["purpose_hash"] = digest_text(crypto::sha256(task.spec.purpose));
    claims[kSessionClaim] = session.id.text();
    return claims.dump();
}

Result<Presented> check_writ_claims(std::string_view payload, const WritScope& scope,
                                    std::int64_t now_us) {
    const auto document = json::parse(payload, {.bytes_max = kMaxWritBytes});
    if (!document || !document->root().is_object()) return refused("the claims are not readable");
    const json::Value claims = document->root();
    if (claims.string("iss") != scope.issuer) return refused("`iss` is another issuer");
    if (claims.string("aud") != scope.audience) return refused("`aud` is another audience");
    const auto exp = claims.i64("exp"), nbf = claims.i64("nbf");
    if (!exp || !nbf) return refused("`exp` or `nbf` is missing");
    if (now_us / kSecond_us >= *exp) return refused("the writ has expired");
    if (now_us / kSecond_us + kWritSkew_s < *nbf) return refused("the writ is not valid yet");
    const auto about = claims.find(kTaskClaim);
    const auto task =
        about && about->is_object() ? id_in<TaskId>(about->string("id")) : std::nullopt;
    const auto writ = id_in<WritId>(claims.string("jti"));
    const auto session = id_in<SessionId>(claims.string(kSessionClaim));
    if (!task || !writ || !session) return refused("the writ names no task, session or `jti`");
    return Presented{*writ, *session, *task};
}

}  // namespace writ::identity

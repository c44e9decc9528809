// The claims of a writ: what goes into the JWT and how a presented one is checked
// (docs/spec/writ.md; RFC 9068, RFC 8693 section 4.1, RFC 9396). Signing and the question whether
// the session still lives are the directory's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "identity/types.h"

namespace writ::identity {

inline constexpr std::string_view kWritType = "at+jwt";  // RFC 9068 section 2.1
inline constexpr std::string_view kTaskClaim = "https://writ.dev/claims/task";
inline constexpr std::string_view kSessionClaim = "https://writ.dev/claims/session";

// Who issues and for whom; the views outlive the call.
struct WritScope {
    std::string_view issuer, audience;
};

// The claims of `session` as minted at wall time `now_us`, in canonical JSON. They hold digests of
// purpose and conditions, never the prompt.
std::string writ_claims(const Session& session, const WritScope& scope, std::int64_t now_us);

// What a verified payload names.
struct Presented {
    WritId writ;
    SessionId session;
    TaskId task;
};

// Checks iss, aud, exp and nbf of a payload whose signature has been verified. Errors:
// kUnauthenticated; the detail names the claim, never its value.
Result<Presented> check_writ_claims(std::string_view payload, const WritScope& scope,
                                    std::int64_t now_us);

}  // namespace writ::identity

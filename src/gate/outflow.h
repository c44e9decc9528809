// Output of one call on its way back: bounded, capped, redacted and free of lent secrets, as the
// call's duties say.
//
//   pass(bytes) … pass(bytes), rest()
//
// What must be seen whole is held back: with redaction the whole answer until rest(), otherwise at
// most kHoldBackBytes that could be the beginning of a secret. Without duties and without secrets
// nothing is held and nothing is copied.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "gate/redact.h"
#include "gate/secrets.h"

namespace writ::gate {

// Output that may be kept back at once outside of redaction, so that a pattern cut in two by a
// chunk's border is still seen whole: six bytes of JSON escape for each of the longest spelling.
inline constexpr std::size_t kHoldBackBytes = 6 * 2 * kMaxSecretBytes;

class Outflow {
  public:
    Outflow(Duties duties, std::shared_ptr<const Secrets> secrets);

    // The bytes that may be released now. After an error nothing is released any more. Errors:
    // kTooLarge (more than kMaxUpstreamMessageBytes, or than the policy's cap).
    Result<std::string> pass(std::string bytes);
    // The answer is whole: what was held back. Errors: as pass(), kInvalid (cannot be redacted).
    Result<std::string> rest();

    // A whole message beside the answer, inspected by itself; its bytes count for the limits.
    Result<std::string> aside(std::string message);

    // rest() was asked for and gave all: what went back had passed whole.
    bool is_whole() const { return whole_given_; }
    std::size_t passed() const { return passed_; }  // bytes that came
    std::size_t held() const { return whole_.size() + (scan_ ? scan_->held() : 0); }
    std::size_t redacted() const { return redacted_; }  // places
    std::size_t withheld() const { return withheld_aside_ + (scan_ ? scan_->found() : 0); }

  private:
    Result<std::string> release(std::string bytes);

    Duties duties_;
    std::shared_ptr<const Secrets> secrets_;
    std::optional<SecretScan> scan_;
    std::string whole_;
    std::size_t passed_ = 0, released_ = 0, redacted_ = 0, withheld_aside_ = 0;
    bool failed_ = false, whole_given_ = false;
};

}  // namespace writ::gate

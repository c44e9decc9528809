#include "gate/outflow.h"

#include <utility>

#include "base/limits.h"

namespace writ::gate {

Outflow::Outflow(Duties duties, std::shared_ptr<const Secrets> secrets)
    : duties_(std::move(duties)) {
    if (!secrets || secrets->empty()) return;
    secrets_ = std::move(secrets);
    scan_.emplace(secrets_);
}

Result<std::string> Outflow::release(std::string bytes) {
    released_ += bytes.size();
    if (duties_.cap_bytes && released_ > *duties_.cap_bytes) {
        failed_ = true;
        return fail(ErrorCode::kTooLarge, "the answer is larger than the policy's cap of " +
                                              std::to_string(*duties_.cap_bytes) + " bytes");
    }
    return bytes;
}

Result<std::string> Outflow::pass(std::string bytes) {
    if (failed_ || bytes.size() > kMaxUpstreamMessageBytes - passed_) {
        failed_ = true;
        return fail(ErrorCode::kTooLarge, "the answer is larger than kMaxUpstreamMessageBytes");
    }
    passed_ += bytes.size();
    if (!duties_.redact.empty()) {
        whole_ += bytes;
        return std::string();
    }
    return release(scan_ ? scan_->pass(bytes) : std::move(bytes));
}

Result<std::string> Outflow::aside(std::string message) {
    if (failed_ || message.size() > kMaxUpstreamMessageBytes - passed_) {
        failed_ = true;
        return fail(ErrorCode::kTooLarge, "the answer is larger than kMaxUpstreamMessageBytes");
    }
    passed_ += message.size();
    if (!duties_.redact.empty()) {
        auto changed = redact(message, duties_.redact);
        if (!changed) return fail(changed.error());
        redacted_ += changed->count;
        message = std::move(changed->json);
    }
    if (secrets_) {
        SecretScan scan(secrets_);
        std::string out = scan.pass(message);
        out += scan.rest();
        withheld_aside_ += scan.found();
        message = std::move(out);
    }
    return release(std::move(message));
}

Result<std::string> Outflow::rest() {
    if (failed_) return fail(ErrorCode::kTooLarge, "the answer was withheld before");
    std::string out;
    if (!duties_.redact.empty() && !whole_.empty()) {
        auto changed = redact(std::exchange(whole_, {}), duties_.redact);
        if (!changed) {
            failed_ = true;
            return fail(changed.error());
        }
        redacted_ += changed->count;
        out = scan_ ? scan_->pass(changed->json) : std::move(changed->json);
    }
    if (scan_) out += scan_->rest();
    Result<std::string> last = release(std::move(out));
    whole_given_ = last.has_value();
    return last;
}

}  // namespace writ::gate

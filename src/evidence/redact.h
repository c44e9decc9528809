// Redaction: once, in the Recorder, before a payload is sealed, on every path and kind of content,
// because all of them pass here as bytes: arguments, text and structured content, the decoded
// bytes of base64 `blob`s, error data, prompts. The commitment is to the redacted text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::evidence {

struct RedactionSpec {
    // Names of JSON members and form fields whose values go, whatever they are (ASCII, any case).
    std::vector<std::string> fields;
    // RE2 patterns; what the first group matches goes, or the whole match without one.
    std::vector<std::string> patterns;
    // Private keys, access keys and tokens of well-known forms, bearer headers, and the usual
    // names: password, passwd, secret, client_secret, api_key, access_token, refresh_token,
    // authorization, private_key …
    bool secrets = true;
    bool operator==(const RedactionSpec&) const = default;
};

class Redactor {
  public:
    // Errors: kInvalid naming the pattern.
    static Result<std::shared_ptr<const Redactor>> make(const RedactionSpec& spec);
    virtual ~Redactor() = default;
    // Replaces what must not be kept by `[redacted]`; returns at how many places. JSON stays JSON.
    // Thread: any. Cost: 0.5 us per KiB where nothing is found, 3 us before speed_up().
    virtual std::uint64_t redact(std::string& text) const = 0;
    // Builds what makes redact() an order of magnitude faster on plain payloads. Takes a tenth of a
    // second of CPU: a gateway calls it beside its start. Thread: any, also beside redact().
    virtual void speed_up() const = 0;
    virtual std::string_view profile() const = 0;  // what events call it
};

}  // namespace writ::evidence

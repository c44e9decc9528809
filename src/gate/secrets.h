// Values that the gateway lends or knows and that must never come back in what a tool returns (rule
// 6): found in output as they are, in base64 at any alignment and in hex, also where JSON escapes
// spell them. What is not found: a secret that a tool has changed in another way (reversed,
// encrypted, cut in two answers).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"

namespace writ::gate {

// Shorter values would be found by accident; longer ones by their beginning.
inline constexpr std::size_t kMinSecretBytes = 8;
inline constexpr std::size_t kMaxSecretBytes = 2 << 10;
// Values one gateway looks for. Each is searched for in seven spellings.
inline constexpr std::size_t kMaxSecrets = 256;

class Secrets {
  public:
    struct Value {
        // What stands in its place: `[withheld: NAME]`, unusual characters as %XX, a long one cut.
        std::string name;
        SecretBytes bytes;
    };
    // Errors: kInvalid (a value shorter than kMinSecretBytes), kExhausted (kMaxSecrets). An error
    // names the value, never holds it.
    static Result<std::shared_ptr<const Secrets>> make(std::vector<Value> values);

    bool empty() const { return spellings_.empty(); }

  private:
    friend class SecretScan;
    struct Spelling {
        std::size_t value = 0;
        SecretBytes bytes;
    };
    std::vector<std::string> names_;
    std::vector<Spelling> spellings_;
};

// Looks through one answer as it streams by: JSON text, or plain text without backslashes.
class SecretScan {
  public:
    explicit SecretScan(std::shared_ptr<const Secrets> secrets) : secrets_(std::move(secrets)) {}
    // What may be released: everything but the longest end that could be the beginning of a secret.
    std::string pass(std::string_view bytes);
    // The end of the answer.
    std::string rest();
    std::size_t held() const { return held_.size(); }
    std::size_t found() const { return found_; }

  private:
    std::string scan(bool last);

    std::shared_ptr<const Secrets> secrets_;
    std::string held_;
    std::size_t found_ = 0;
};

}  // namespace writ::gate

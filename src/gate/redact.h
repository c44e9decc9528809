// What a policy's obligations ask of an answer, and how it is carried out.
//
//   @cap("65536")            no more than so many bytes come back; KiB and MiB may follow the
//   number
//   @redact("email")         texts of that form are replaced by `[redacted]`; names: see kPatterns
//   @redact("re:[0-9]{16}")  the same for an RE2 expression (linear time on any input)
//
// Redaction covers every text of an answer, whatever its kind: content, structured content, member
// names, and embedded blobs that hold text. It reads the whole answer first; one that is not JSON
// is withheld.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "policy/policy.h"

namespace writ::gate {

// Distinct patterns compiled at once; policies are few.
inline constexpr std::size_t kMaxPatterns = 256;
inline constexpr std::size_t kMaxPatternBytes = 1 << 10;

class Pattern;  // a compiled one

// Compiles each pattern once. Thread: any.
class Patterns {
  public:
    // Errors: kInvalid (neither a known name nor `re:` and a valid expression; an expression that
    // matches the empty text), kTooLarge, kExhausted.
    Result<std::shared_ptr<const Pattern>> get(std::string_view value);

  private:
    std::mutex mutex_;  // guards made_
    std::unordered_map<std::string, std::shared_ptr<const Pattern>> made_;
};

// Obligations, ready to be carried out.
struct Duties {
    std::vector<std::shared_ptr<const Pattern>> redact;
    std::optional<std::size_t> cap_bytes;  // the smallest
};
// Errors: kUnsupported for an obligation that cannot be carried out, saying why.
Result<Duties> duties_of(const std::vector<policy::Obligation>& obligations, Patterns& patterns);

struct Redacted {
    std::string json;
    std::size_t count = 0;
};
// Errors: kInvalid (not JSON), kTooLarge.
Result<Redacted> redact(std::string_view json,
                        const std::vector<std::shared_ptr<const Pattern>>& patterns);

}  // namespace writ::gate

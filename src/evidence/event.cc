// Names of the schema's words, and the gateway's own trace.
#include "evidence/event.h"

#include "base/secret.h"

namespace writ::evidence {

std::string_view name(Basis basis) {
    switch (basis) {
        case Basis::kObserved:
            return "observed";
        case Basis::kAsserted:
            return "asserted";
        case Basis::kInferred:
            return "inferred";
    }
    return "inferred";
}

Trace Trace::start() {
    // W3C trace context forbids the all-zero ids; 8 random bytes are zero once in 2^64.
    Bytes random = random_bytes(24);
    random[0] |= 1U;
    random[16] |= 1U;
    const ByteView view(random);
    return Trace{to_hex(view.first(16)), to_hex(view.subspan(16)), {}};
}

}  // namespace writ::evidence

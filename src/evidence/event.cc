// Names of the schema's words, and the gateway's own trace.
#include "evidence/event.h"

#include <algorithm>
#include <array>

#include "base/secret.h"
#include "evidence/encode.h"

namespace writ::evidence {

ActorRef::ActorRef() {
    static const ActorRef nobody{Actor()};
    held_ = nobody.held_;
}

ActorRef::ActorRef(Actor actor) {
    std::string text = actor_text(actor);
    held_ = std::make_shared<const Held>(Held{std::move(actor), std::move(text)});
}

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
    // OPTIMIZATION: one system call gives the random bits of many traces, which are names and not
    // keys.
    constexpr std::size_t kTraceBytes = 24;
    thread_local Bytes pool;
    if (pool.empty()) pool = random_bytes(kTraceBytes * 128);
    std::array<std::uint8_t, kTraceBytes> random{};
    std::copy(pool.end() - kTraceBytes, pool.end(), random.begin());
    pool.resize(pool.size() - kTraceBytes);
    random[0] |= 1U;
    random[16] |= 1U;
    Trace out;
    std::copy_n(random.begin(), out.trace_id.size(), out.trace_id.begin());
    std::copy_n(random.begin() + out.trace_id.size(), out.span_id.size(), out.span_id.begin());
    return out;
}

bool Trace::valid() const {
    const auto zeros = [](const auto& id) {
        return std::ranges::all_of(id, [](std::uint8_t byte) { return byte == 0; });
    };
    return !zeros(trace_id) && !zeros(span_id);
}

}  // namespace writ::evidence

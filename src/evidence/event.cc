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

ActorRef::Held::Held(Actor a)
    : actor(std::move(a)), text(actor_text(actor)), opening(leaf_opening(text)) {}

ActorRef::ActorRef(Actor actor) : held_(std::make_shared<const Held>(std::move(actor))) {}

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
    // OPTIMIZATION: one system call gives the random bits of many traces.
    constexpr std::size_t kTraceBytes = 24;
    thread_local std::array<std::uint8_t, kTraceBytes * 128> pool;
    thread_local std::size_t used = pool.size();
    if (used == pool.size()) {
        fill_for_names(pool);
        used = 0;
    }
    Trace out;
    std::copy_n(pool.begin() + used, out.trace_id.size(), out.trace_id.begin());
    std::copy_n(pool.begin() + used + out.trace_id.size(), out.span_id.size(), out.span_id.begin());
    used += kTraceBytes;
    out.trace_id[0] |= 1U;
    out.span_id[0] |= 1U;
    return out;
}

bool Trace::valid() const {
    const auto zeros = [](const auto& id) {
        return std::ranges::all_of(id, [](std::uint8_t byte) { return byte == 0; });
    };
    return !zeros(trace_id) && !zeros(span_id);
}

}  // namespace writ::evidence

// Any bytes as an event stream: the same events however they arrive, and never more than allowed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "net/sse.h"

namespace {

struct Read {
    std::vector<writ::net::SseEvent> events;
    std::string last_id;
    std::optional<std::uint64_t> retry_ms;
    bool whole = true;
    bool operator==(const Read&) const = default;
};

Read read(std::string_view text, std::size_t piece) {
    constexpr std::size_t kMax = 4'096;
    writ::net::SseParser parser(kMax);
    Read out;
    for (std::size_t at = 0; at < text.size() && out.whole; at += piece) {
        out.whole = parser.put(text.substr(at, piece)).has_value();
        while (auto event = parser.next()) {
            if (event->data.size() > kMax) std::abort();
            out.events.push_back(std::move(*event));
        }
    }
    out.last_id = parser.last_id();
    out.retry_ms = parser.retry_ms();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.empty()) return 0;
    const Read whole = read(text, text.size());
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
        const Read parts = read(text, piece);
        if (whole.whole && parts.whole && !(parts == whole)) std::abort();
    }
    return 0;
}

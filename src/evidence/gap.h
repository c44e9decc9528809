// Events that are missing from the log, until an `evidence.gap` says so. Inner header of the room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "evidence/encode.h"

namespace writ::evidence {

// What is missing and not yet said.
struct Gap {
    std::string why, detail = {};
    std::uint64_t from = 0, to = 0, n = 0;
    // The same gap, larger. Numbers that are taken back come in any order.
    void add(std::uint64_t at, std::string_view text) {
        from = n == 0 ? at : std::min(from, at);
        to = n == 0 ? at : std::max(to, at);
        ++n;
        detail = shortened(text, 256);
    }
    void add(const Gap& earlier) {
        from = n == 0 ? earlier.from : std::min(from, earlier.from);
        to = n == 0 ? earlier.to : std::max(to, earlier.to);
        if (n == 0) detail = earlier.detail;
        n += earlier.n;
    }
};

}  // namespace writ::evidence

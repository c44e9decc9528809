// What a decision needs while it is made, kept from one to the next for its memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cedar/arena.h"
#include "cedar/cedar.h"
#include "cedar/index.h"

namespace writ::cedar {

struct Scratch::Impl {
    struct Failure {
        std::string_view policy;
        std::string message;
    };
    Arena arena;
    IndexProbe probe;
    std::vector<std::uint32_t> matches;
    std::vector<std::string_view> permits, forbids;
    std::vector<Failure> failures;
    std::vector<PolicyErrorView> errors;
};

}  // namespace writ::cedar

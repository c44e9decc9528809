// The events of a trace, and how they become a tree. Inner header of the room.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "evidence/trail.h"

namespace writ::evidence {

struct Connected {
    std::string kind;
    std::map<std::uint64_t, TrailEvent> events;  // by index
};
// As find_connected(), with the events.
Result<Connected> collect_connected(LogIndex& index, std::string_view what);

}  // namespace writ::evidence

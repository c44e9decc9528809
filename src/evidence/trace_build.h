// The events of a trace, and how they become a tree. Inner header of the room.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "evidence/trail.h"

namespace writ::evidence {

struct Connected {
    std::string kind;
    std::deque<TrailEvent> events;  // in the order of the log
};
// As find_connected(), with the events.
Result<Connected> collect_connected(LogIndex& index, std::string_view what, Keep keep);

}  // namespace writ::evidence

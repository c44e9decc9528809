// What the Recorder reads off a draft. Inner header of the room.
#pragma once

#include <string_view>

#include "evidence/event.h"

namespace writ::evidence {

// The schema's word for why a session ended.
std::string_view seal_word(std::string_view reason);
// Whose payload it is: the subject the event names (a task's prompt is its words), else on whose
// behalf, else the person who acted. What Writ itself does with nobody's words is the tenant's.
std::string_view owner_of(const Draft& draft, const Payload& payload);
// Whether it is a decision with that verdict.
bool verdict_is(const Draft& draft, std::string_view word);
// What must be recorded although the disk is full (architecture, rule 5), in the space that the
// ledger keeps for it: the ends of tasks and sessions, and the word about what is missing.
bool narrows(std::string_view type);

}  // namespace writ::evidence

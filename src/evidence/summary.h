// What an event says, in a few words, for people. Everything that an agent, a tool or a stranger
// may have written passes inert(). Inner header of the room.
#pragma once

#include <string>

#include "evidence/leaf.h"

namespace writ::evidence {

std::string summary(const Leaf& leaf);

}  // namespace writ::evidence

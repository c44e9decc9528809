// What the index keeps of one event. Inner header of the room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "evidence/leaf.h"

namespace writ::evidence {

// Views into the leaf it was made of. A nil id: none.
struct IndexRow {
    Uuid id, session, task, call, jti, root;
    std::int64_t t_us = 0, type = 0, verdict = 0;
    std::string_view agent, action;
    std::string words;  // parted by spaces
    std::int64_t words_hash = 0;
};
IndexRow row_of(const Leaf& leaf);

std::int64_t key_of(const Uuid& id);
std::string_view blob_of(const Uuid& id);

}  // namespace writ::evidence

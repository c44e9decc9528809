// Making and updating the index's tables. Inner header of the room.
#pragma once

#include "evidence/database.h"
#include "evidence/log_index.h"

namespace writ::evidence {

inline constexpr std::string_view kIndexVersion = "writ.evidence-index/2";

// Brings `db` up to date with `source`, from nothing if it is not a beginning of it. Errors: kIo,
// kUnavailable, kCorrupt (make it anew), those of the log.
Status fill_index(Database& db, const LeafSource& source, const LogIndex::Progress& progress);

}  // namespace writ::evidence

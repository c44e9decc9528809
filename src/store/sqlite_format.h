// The embedded store's file format: an SQLite database whose `application_id` says that it is ours
// and whose `user_version` is the number of the format.
//
// Format 1:
//   records(tenant TEXT, kind TEXT, id TEXT, value BLOB, version INTEGER)  key (tenant, kind, id)
//   applied(tenant TEXT, idx INTEGER)                                      key (tenant)
//
// A format is changed only by appending a step to kSteps: step n takes a file of format n-1 to
// format n, in one transaction.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"

struct sqlite3;

namespace writ::store {

inline constexpr int kApplicationId = 0x57524954;  // `WRIT`

// The steps from an empty file to the newest format.
std::span<const char* const> sqlite_steps();

// Brings `db` to format steps.size(). Errors: kUnsupported (a newer format), kCorrupt (not a store
// of ours, or damaged), kConflict (another process holds it), kIo.
Status migrate(sqlite3* db, std::span<const char* const> steps);

// What the last failed call on `db` means, with `what` before SQLite's own words.
Error sqlite_error(sqlite3* db, std::string_view what);
// Runs statements that return nothing.
Status execute(sqlite3* db, const char* sql);

}  // namespace writ::store

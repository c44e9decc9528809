// Opening an old, a new or a foreign file, and what SQLite's result codes mean to us.
#include "store/sqlite_format.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>

namespace writ::store {

namespace {

constexpr std::array kSteps = {
    "CREATE TABLE records("
    "  tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,"
    "  value BLOB NOT NULL, version INTEGER NOT NULL,"
    "  PRIMARY KEY(tenant, kind, id)) WITHOUT ROWID;"
    "CREATE TABLE applied("
    "  tenant TEXT NOT NULL PRIMARY KEY, idx INTEGER NOT NULL) WITHOUT ROWID;",
};

// The single integer that `sql` yields.
Result<std::int64_t> integer(sqlite3* db, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) {
        return fail(sqlite_error(db, "cannot read the store's format"));
    }
    const bool row = sqlite3_step(statement) == SQLITE_ROW;
    const std::int64_t value = row ? sqlite3_column_int64(statement, 0) : 0;
    Error error;
    if (!row) error = sqlite_error(db, "cannot read the store's format");
    sqlite3_finalize(statement);
    if (!row) return fail(std::move(error));
    return value;
}

// A file with tables that does not carry our mark is somebody else's.
Status check_ours(sqlite3* db) {
    const auto mark = integer(db, "PRAGMA application_id");
    if (!mark) return fail(mark.error());
    if (*mark == kApplicationId) return {};
    const auto tables = integer(db, "SELECT count(*) FROM sqlite_master");
    if (!tables) return fail(tables.error());
    if (*mark == 0 && *tables == 0) return {};
    return fail(ErrorCode::kCorrupt, "a database, but not a store of writ");
}

}  // namespace

std::span<const char* const> sqlite_steps() {
    return kSteps;
}

Error sqlite_error(sqlite3* db, std::string_view what) {
    ErrorCode code = ErrorCode::kIo;
    switch (sqlite3_errcode(db)) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            code = ErrorCode::kCorrupt;
            break;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            code = ErrorCode::kConflict;
            break;
        default:
            break;
    }
    return {code, fmt::format("{}: {}", what, sqlite3_errmsg(db))};
}

Status execute(sqlite3* db, const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return fail(sqlite_error(db, "the store refused a statement"));
    }
    return {};
}

Status migrate(sqlite3* db, std::span<const char* const> steps) {
    // Taking the write lock first: no second process migrates, or writes, beside us.
    if (auto begun = execute(db, "BEGIN IMMEDIATE"); !begun) return begun;
    const auto give_up = [db](Error error) {
        static_cast<void>(execute(db, "ROLLBACK"));
        return fail(std::move(error));
    };
    if (auto ours = check_ours(db); !ours) return give_up(ours.error());
    const auto format = integer(db, "PRAGMA user_version");
    if (!format) return give_up(format.error());
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (*format < 0 || *format > newest) {
        return give_up({ErrorCode::kUnsupported,
                        fmt::format("store format {} is newer than this program's {}; use the "
                                    "program that wrote it",
                                    *format, newest)});
    }
    for (std::int64_t at = *format; at < newest; ++at) {
        const std::string mark = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                             kApplicationId, at + 1);
        auto step = execute(db, steps[static_cast<std::size_t>(at)]);
        if (step) step = execute(db, mark.c_str());
        if (!step) return give_up(step.error().in(fmt::format("upgrade to format {}", at + 1)));
    }
    return execute(db, "COMMIT");
}

}  // namespace writ::store

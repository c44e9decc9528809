#include "evidence/database.h"

#include <sqlite3.h>

#include <utility>

namespace writ::evidence {

namespace {

constexpr int kBusyWait_ms = 10'000;

Error error_of(sqlite3* db, int code) {
    const std::string what =
        std::string("index: ") + (db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code));
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {ErrorCode::kCorrupt, what};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorCode::kUnavailable, what};
        default:
            return {ErrorCode::kIo, what};
    }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}
Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
}
Statement::~Statement() {
    sqlite3_finalize(statement_);
}

Statement& Statement::bind(int at, std::int64_t value) {
    sqlite3_bind_int64(statement_, at, value);
    return *this;
}
Statement& Statement::bind_null(int at) {
    sqlite3_bind_null(statement_, at);
    return *this;
}
Statement& Statement::bind(int at, std::string_view text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
}
Statement& Statement::bind_blob(int at, std::string_view bytes) {
    sqlite3_bind_blob(statement_, at, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(error_of(sqlite3_db_handle(statement_), code));
}

Status Statement::run() {
    auto more = step();
    while (more && *more) more = step();
    reset();
    if (!more) return fail(more.error());
    return {};
}

void Statement::reset() {
    sqlite3_reset(statement_);
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
std::string_view Statement::text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string_view()
                           : std::string_view(data, static_cast<std::size_t>(size));
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file) {
    sqlite3* db = nullptr;
    const std::string name = file.empty() ? ":memory:" : file.string();
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(name.c_str(), &db, flags, nullptr);
    std::unique_ptr<Database> out(new Database(db));
    if (code != SQLITE_OK) return fail(error_of(db, code).in("cannot open `" + name + "`"));
    sqlite3_busy_timeout(db, kBusyWait_ms);
    return out;
}

Database::~Database() {
    sqlite3_close_v2(db_);
}

Status Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(error_of(db_, code));
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    Statement out;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &out.statement_, nullptr);
    if (code != SQLITE_OK) return fail(error_of(db_, code));
    return out;
}

std::int64_t Database::last_rowid() const {
    return sqlite3_last_insert_rowid(db_);
}

}  // namespace writ::evidence

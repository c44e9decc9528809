// The embedded store: one SQLite file, one connection behind a mutex. The connection holds the
// file's lock for as long as it lives, so no second writer can exist, and it does every checkpoint
// of the write-ahead log itself. A commit is synced before it is acknowledged (synchronous=FULL).
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <mutex>

#include "store/sqlite_format.h"
#include "store/store.h"

namespace writ::store {

namespace {

struct CloseDb {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Db = std::unique_ptr<sqlite3, CloseDb>;

// How long opening waits for a process that is just going away.
constexpr int kBusyTimeout_ms = 500;

// A prepared statement, reset by each use() that hands it out again.
class Statement {
  public:
    Status prepare(sqlite3* db, const char* sql) {
        db_ = db;
        sqlite3_stmt* raw = nullptr;
        const int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
        handle_.reset(raw);
        if (rc != SQLITE_OK) return fail(sqlite_error(db, "cannot prepare the store's statements"));
        return {};
    }
    // Starts over: nothing bound.
    Statement& use() {
        done();
        next_ = 1;
        return *this;
    }
    Statement& bind(std::string_view text) {
        sqlite3_bind_text64(handle_.get(), next_++, text.empty() ? "" : text.data(), text.size(),
                            SQLITE_STATIC, SQLITE_UTF8);
        return *this;
    }
    Statement& blob(std::string_view bytes) {
        sqlite3_bind_blob64(handle_.get(), next_++, bytes.empty() ? "" : bytes.data(), bytes.size(),
                            SQLITE_STATIC);
        return *this;
    }
    Statement& bind(std::int64_t number) {
        sqlite3_bind_int64(handle_.get(), next_++, number);
        return *this;
    }
    // True: a row is there.
    Result<bool> step() {
        const int rc = sqlite3_step(handle_.get());
        if (rc == SQLITE_ROW) return true;
        if (rc == SQLITE_DONE) return false;
        return fail(sqlite_error(db_, "the store failed"));
    }
    std::string text(int column) const {
        const void* data = sqlite3_column_blob(handle_.get(), column);
        const int size = sqlite3_column_bytes(handle_.get(), column);
        if (data == nullptr) return {};
        return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
    }
    std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
    void done() {
        if (!handle_) return;
        sqlite3_reset(handle_.get());
        sqlite3_clear_bindings(handle_.get());
    }

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
    };
    sqlite3* db_ = nullptr;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
    int next_ = 1;
};

// Resets a statement when the function that used it is left, so that no read stays open.
class Used {
  public:
    explicit Used(Statement& statement) : statement_(statement) { statement_.use(); }
    ~Used() { statement_.done(); }
    Used(const Used&) = delete;
    Used& operator=(const Used&) = delete;
    Statement* operator->() { return &statement_; }

  private:
    Statement& statement_;
};

class SqliteStore final : public Store {
  public:
    explicit SqliteStore(Db db) : db_(std::move(db)) {}

    Status prepare() {
        const std::pair<Statement*, const char*> all[] = {
            {&get_, "SELECT value, version FROM records WHERE tenant=? AND kind=? AND id=?"},
            {&list_,
             "SELECT id, value, version FROM records WHERE tenant=? AND kind=? AND id>? "
             "ORDER BY id LIMIT ?"},
            {&put_,
             "INSERT INTO records(tenant, kind, id, value, version) VALUES(?, ?, ?, ?, 1) "
             "ON CONFLICT DO UPDATE SET value=excluded.value, version=version+1"},
            {&delete_, "DELETE FROM records WHERE tenant=? AND kind=? AND id=?"},
            {&applied_, "SELECT idx FROM applied WHERE tenant=?"},
            {&advance_,
             "INSERT INTO applied(tenant, idx) VALUES(?, ?) "
             "ON CONFLICT DO UPDATE SET idx=max(idx, excluded.idx)"},
            {&begin_, "BEGIN IMMEDIATE"},
            {&commit_, "COMMIT"},
            {&rollback_, "ROLLBACK"},
        };
        for (const auto& [statement, sql] : all) {
            if (auto ok = statement->prepare(db_.get(), sql); !ok) return ok;
        }
        return {};
    }

    Result<std::optional<Record>> get(const Key& key) override {
        const std::lock_guard lock(mutex_);
        Used get(get_);
        get->bind(key.tenant).bind(key.kind).bind(key.id);
        const auto row = get->step();
        if (!row) return fail(row.error());
        if (!*row) return std::optional<Record>();
        return Record{key, get->text(0), static_cast<std::uint64_t>(get->integer(1))};
    }

    Result<std::vector<Record>> list(std::string_view tenant, std::string_view kind,
                                     std::string_view after, std::size_t limit) override {
        const std::lock_guard lock(mutex_);
        Used list(list_);
        constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
        list->bind(tenant).bind(kind).bind(after);
        list->bind(static_cast<std::int64_t>(std::min(limit, kMost)));
        std::vector<Record> out;
        while (true) {
            const auto row = list->step();
            if (!row) return fail(row.error());
            if (!*row) return out;
            out.push_back(Record{{std::string(tenant), std::string(kind), list->text(0)},
                                 list->text(1),
                                 static_cast<std::uint64_t>(list->integer(2))});
        }
    }

    Status apply(std::string_view tenant, const std::vector<Change>& changes,
                 std::optional<std::uint64_t> applied) override {
        for (const auto& change : changes) {
            if (change.key.tenant != tenant) {
                return fail(ErrorCode::kInvalid, "a change of another tenant in the batch");
            }
        }
        if (applied && *applied > static_cast<std::uint64_t>(INT64_MAX)) {
            return fail(ErrorCode::kInvalid, "event index out of range");
        }
        const std::lock_guard lock(mutex_);
        if (auto begun = run(begin_); !begun) return begun;
        auto outcome = change_all(changes);
        if (outcome && applied) outcome = advance(tenant, *applied);
        if (outcome) outcome = run(commit_);
        // After a failed COMMIT (a full disk) the transaction may still be open, or SQLite may have
        // rolled it back itself; only the first needs our ROLLBACK.
        if (!outcome && sqlite3_get_autocommit(db_.get()) == 0) {
            static_cast<void>(run(rollback_));
        }
        return outcome;
    }

    Result<std::optional<std::uint64_t>> applied(std::string_view tenant) override {
        const std::lock_guard lock(mutex_);
        Used applied(applied_);
        applied->bind(tenant);
        const auto row = applied->step();
        if (!row) return fail(row.error());
        if (!*row) return std::optional<std::uint64_t>();
        return std::optional(static_cast<std::uint64_t>(applied->integer(0)));
    }

  private:
    static Status run(Statement& statement) {
        Used used(statement);
        const auto row = used->step();
        if (!row) return fail(row.error());
        return {};
    }

    Status change_all(const std::vector<Change>& changes) {
        for (const auto& change : changes) {
            if (change.expected) {
                const auto version = version_of(change.key);
                if (!version) return fail(version.error());
                if (*version != *change.expected) {
                    return fail(ErrorCode::kConflict, "`" + change.key.kind + "/" + change.key.id +
                                                          "` changed since it was read");
                }
            }
            Used write(change.value ? put_ : delete_);
            write->bind(change.key.tenant).bind(change.key.kind).bind(change.key.id);
            if (change.value) write->blob(*change.value);
            const auto row = write->step();
            if (!row) return fail(row.error());
        }
        return {};
    }

    // 0 when there is no such record.
    Result<std::uint64_t> version_of(const Key& key) {
        Used get(get_);
        get->bind(key.tenant).bind(key.kind).bind(key.id);
        const auto row = get->step();
        if (!row) return fail(row.error());
        return *row ? static_cast<std::uint64_t>(get->integer(1)) : 0;
    }

    Status advance(std::string_view tenant, std::uint64_t index) {
        Used move(advance_);
        move->bind(tenant).bind(static_cast<std::int64_t>(index));
        const auto row = move->step();
        if (!row) return fail(row.error());
        return {};
    }

    // Guards the connection and its statements: a call holds it from its first statement to its
    // last, so that a batch is never interleaved with a read.
    std::mutex mutex_;
    Db db_;  // before the statements: they are finalised first
    Statement get_, list_, put_, delete_, applied_, advance_, begin_, commit_, rollback_;
};

// Creates the file readable by its owner only; SQLite gives its own files the same mode.
Status create_private(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(io_error("cannot open the store `" + file.string() + "`", errno));
    ::close(fd);
    return {};
}

// Before the file is known to be ours nothing of it is changed.
Status before_reading(sqlite3* db) {
    sqlite3_busy_timeout(db, kBusyTimeout_ms);
    return execute(db,
                   "PRAGMA locking_mode=EXCLUSIVE; PRAGMA trusted_schema=OFF; "
                   "PRAGMA cell_size_check=ON");
}

// With the lock held already, the write-ahead log's index lives in our memory.
Status before_writing(sqlite3* db) {
    return execute(db,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                   "PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=67108864");
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& file) {
    if (auto made = create_private(file); !made) return fail(made.error());
    sqlite3* raw = nullptr;
    const int rc =
        sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Db db(raw);
    const std::string what = "store `" + file.string() + "`";
    if (rc != SQLITE_OK) return fail(sqlite_error(raw, what));
    auto ready = before_reading(raw);
    if (ready) ready = migrate(raw, sqlite_steps());
    if (ready) ready = before_writing(raw);
    if (!ready) return fail(ready.error().in(what));
    auto store = std::make_unique<SqliteStore>(std::move(db));
    if (auto prepared = store->prepare(); !prepared) return fail(prepared.error().in(what));
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace writ::store

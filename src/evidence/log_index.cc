// The tables of log_index.h and how they are filled.
#include "evidence/log_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "base/inert.h"
#include "crypto/hash.h"
#include "evidence/encode.h"
#include "evidence/index_rows.h"
#include "evidence/leaf.h"
#include "evidence/log_tables.h"
#include "evidence/words.h"

namespace writ::evidence {

namespace {

// Events in one transaction.
constexpr std::uint64_t kBatch = 20'000;
constexpr std::size_t kMaxNamesHeld = 500'000;

constexpr const char* kSchema = R"(
CREATE TABLE meta(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
CREATE TABLE names(n INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE scopes(n INTEGER PRIMARY KEY, id BLOB UNIQUE, above INTEGER);
CREATE INDEX scopes_above ON scopes(above) WHERE above IS NOT NULL;
CREATE TABLE events(idx INTEGER PRIMARY KEY, t INTEGER, type INTEGER, verdict INTEGER,
                    session INTEGER, task INTEGER, agent INTEGER, action INTEGER, words INTEGER);
CREATE INDEX events_session ON events(session) WHERE session IS NOT NULL;
CREATE INDEX events_task ON events(task) WHERE session IS NULL AND task IS NOT NULL;
CREATE TABLE keys(k INTEGER, idx INTEGER, PRIMARY KEY(k, idx)) WITHOUT ROWID;
CREATE TABLE causes(k INTEGER, idx INTEGER, PRIMARY KEY(k, idx)) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(w, content='', detail=none, columnsize=0,
                                      tokenize="unicode61 remove_diacritics 0");
-- OPTIMIZATION: words gathered in memory before they become a segment: fewer segments to merge.
INSERT INTO texts(texts, rank) VALUES('hashsize', 16777216);
)";

}  // namespace

std::int64_t key_of(const Uuid& id) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; ++i) out = out << 8 | id.bytes[i];
    return static_cast<std::int64_t>(out);
}

std::string_view blob_of(const Uuid& id) {
    return as_text(ByteView(id.bytes));
}

IndexRow row_of(const Leaf& leaf) {
    IndexRow row;
    row.t_us = leaf.t_us;
    row.type = type_number(leaf.type);
    const auto kind = leaf.text("kind");
    row.verdict = leaf.type != "call.decided" ? 0
                  : kind == "permit"          ? 1
                  : kind == "forbid"          ? 2
                  : kind == "hold"            ? 3
                                              : 0;
    row.agent = agent_of(leaf);
    const auto action = leaf.text("action");
    row.action = action.empty() ? leaf.text("tool") : action;
    row.id = Uuid::parse(leaf.id).value_or(Uuid{});
    row.session = Uuid::parse(leaf.session).value_or(Uuid{});
    row.task = Uuid::parse(leaf.task).value_or(Uuid{});
    row.call = Uuid::parse(leaf.call).value_or(Uuid{});
    row.jti = Uuid::parse(leaf.text("jti")).value_or(Uuid{});
    row.root = Uuid::parse(leaf.text("root")).value_or(Uuid{});
    for (const auto& word : words_of(leaf)) {
        if (!row.words.empty()) row.words += ' ';
        row.words += word;
    }
    const Sha256 digest = crypto::sha256(row.words);
    for (std::size_t i = 0; i < 7; ++i) row.words_hash = row.words_hash << 8 | digest[i];
    return row;
}

// Fills the tables; one for each update().
class Filler {
  public:
    static Result<std::unique_ptr<Filler>> make(Database& db) {
        std::unique_ptr<Filler> out(new Filler(db));
        const std::pair<Statement*, const char*> all[] = {
            {&out->event_, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?)"},
            {&out->key_, "INSERT OR IGNORE INTO keys VALUES(?,?)"},
            {&out->cause_, "INSERT OR IGNORE INTO causes VALUES(?,?)"},
            {&out->words_, "INSERT INTO texts(rowid, w) VALUES(?,?)"},
            {&out->name_, "INSERT OR IGNORE INTO names(name) VALUES(?)"},
            {&out->find_name_, "SELECT n FROM names WHERE name=?"},
            {&out->scope_, "INSERT OR IGNORE INTO scopes(id) VALUES(?)"},
            {&out->find_scope_, "SELECT n FROM scopes WHERE id=?"},
            {&out->above_, "UPDATE scopes SET above=? WHERE n=? AND above IS NULL"},
        };
        for (const auto& [statement, sql] : all) {
            auto prepared = db.prepare(sql);
            if (!prepared) return fail(prepared.error());
            *statement = std::move(*prepared);
        }
        return out;
    }

    Status add(std::uint64_t index, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (!leaf) return {};  // the check of the log reports it
        const IndexRow row = row_of(*leaf);
        const auto idx = static_cast<std::int64_t>(index);
        const auto session = scope(row.session), task = scope(row.task);
        const auto agent = name(row.agent), action = name(row.action);
        if (!session || !task || !agent || !action) {
            return fail(ErrorCode::kIo, "index: names cannot be written");
        }
        if (auto ok = above(row, *session, *task); !ok) return ok;
        event_.bind(1, idx).bind(2, row.t_us).bind(3, row.type).bind(4, row.verdict);
        bind_or_null(5, *session);
        bind_or_null(6, *task);
        bind_or_null(7, *agent);
        bind_or_null(8, *action);
        event_.bind(9, row.words_hash);
        if (auto ok = event_.run(); !ok) return ok;
        for (const Uuid* id : {&row.id, &row.call, &row.jti}) {
            if (id->is_nil()) continue;
            if (auto ok = key_.bind(1, key_of(*id)).bind(2, idx).run(); !ok) return ok;
        }
        for (const auto& cause : leaf->causes) {
            const auto id = Uuid::parse(cause.id);
            if (!id) continue;
            if (auto ok = cause_.bind(1, key_of(*id)).bind(2, idx).run(); !ok) return ok;
        }
        return words_.bind(1, idx).bind(2, std::string_view(row.words)).run();
    }

  private:
    explicit Filler(Database& db) : db_(db) {}

    void bind_or_null(int at, std::int64_t value) {
        if (value == 0) {
            event_.bind_null(at);
        } else {
            event_.bind(at, value);
        }
    }

    // A session's task, and a task's root (itself included).
    Status above(const IndexRow& row, std::int64_t session, std::int64_t task) {
        if (task == 0) return {};
        if (session != 0 && tied_.insert({session, true}).second) {
            if (auto ok = above_.bind(1, task).bind(2, session).run(); !ok) return ok;
        }
        if (row.root.is_nil()) return {};
        const auto root = scope(row.root);
        if (!root) return fail(root.error());
        return above_.bind(1, *root).bind(2, task).run();
    }

    Result<std::int64_t> look_up(Statement& insert, Statement& find, std::string_view value,
                                 bool blob) {
        const auto bound = [&](Statement& s) -> Statement& {
            return blob ? s.bind_blob(1, value) : s.bind(1, value);
        };
        auto found = bound(find).step();
        std::int64_t out = found && *found ? find.integer(0) : 0;
        find.reset();
        if (!found) return fail(found.error());
        if (out != 0) return out;
        if (auto ok = bound(insert).run(); !ok) return fail(ok.error());
        return db_.last_rowid();
    }

    // Looks names up without making a string of them.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };
    using Held = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;

    Result<std::int64_t> interned(Held& held, Statement& insert, Statement& find,
                                  std::string_view value, bool blob) {
        if (const auto it = held.find(value); it != held.end()) return it->second;
        const auto out = look_up(insert, find, value, blob);
        if (!out) return out;
        if (held.size() >= kMaxNamesHeld) held.clear();
        held.emplace(value, *out);
        return out;
    }

    Result<std::int64_t> scope(const Uuid& id) {
        if (id.is_nil()) return 0;
        return interned(scopes_, scope_, find_scope_, blob_of(id), true);
    }
    Result<std::int64_t> name(std::string_view text) {
        if (text.empty()) return 0;
        return interned(names_, name_, find_name_, text, false);
    }

    Database& db_;
    Statement event_, key_, cause_, words_, name_, find_name_, scope_, find_scope_, above_;
    Held scopes_, names_;
    std::unordered_map<std::int64_t, bool> tied_;  // sessions whose task is written
};

// What the index says it is an index of.
struct IndexTip {
    bool made = false;
    std::uint64_t size = 0;
    std::string leaf;  // of entry size - 1
};

namespace {

Result<IndexTip> tip_of(Database& db, const std::string& origin) {
    IndexTip tip;
    auto there = db.prepare("SELECT 1 FROM sqlite_master WHERE name='meta'");
    if (!there) return fail(there.error());
    const auto has = there->step();
    if (!has) return fail(has.error());
    if (!*has) return tip;
    auto rows = db.prepare("SELECT k, v FROM meta");
    if (!rows) return fail(rows.error());
    std::string version, of, size;
    for (auto more = rows->step(); more && *more; more = rows->step()) {
        const auto key = rows->text(0);
        (key == "version"  ? version
         : key == "origin" ? of
         : key == "size"   ? size
                           : tip.leaf) = rows->text(1);
    }
    tip.made = version == kIndexVersion && of == origin;
    tip.size = std::strtoull(size.c_str(), nullptr, 10);
    return tip;
}

// The index is a beginning of this very log.
Result<bool> fits(const IndexTip& tip, const LeafSource& source) {
    if (!tip.made || tip.size > source.size) return false;
    if (tip.size == 0) return true;
    const auto last = source.entry(tip.size - 1);
    if (!last) return fail(last.error());
    return digest_text(leaf_hash(*last)) == tip.leaf;
}

Status begin_anew(Database& db, const std::string& origin) {
    const auto made = db.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;"
        "BEGIN IMMEDIATE;"
        "DROP TABLE IF EXISTS meta; DROP TABLE IF EXISTS names; DROP TABLE IF EXISTS scopes;"
        "DROP TABLE IF EXISTS events; DROP TABLE IF EXISTS keys; DROP TABLE IF EXISTS causes;"
        "DROP TABLE IF EXISTS texts;");
    if (!made) return made;
    if (auto ok = db.execute(kSchema); !ok) return ok;
    auto put = db.prepare("INSERT INTO meta VALUES(?,?)");
    if (!put) return fail(put.error());
    for (const auto& [key, value] :
         {std::pair<std::string_view, std::string>{"version", std::string(kIndexVersion)},
          {"origin", origin},
          {"size", "0"},
          {"leaf", ""}}) {
        if (auto ok = put->bind(1, key).bind(2, std::string_view(value)).run(); !ok) return ok;
    }
    return db.execute("COMMIT");
}

Status remember(Database& db, std::uint64_t size, const std::string& leaf) {
    auto put = db.prepare("UPDATE meta SET v=? WHERE k=?");
    if (!put) return fail(put.error());
    const std::string text = fmt::format("{}", size);
    if (auto ok = put->bind(1, std::string_view(text)).bind(2, std::string_view("size")).run();
        !ok) {
        return ok;
    }
    return put->bind(1, std::string_view(leaf)).bind(2, std::string_view("leaf")).run();
}

}  // namespace

Status fill_index(Database& db, const LeafSource& source, const LogIndex::Progress& progress) {
    if (auto ok = db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                             "PRAGMA cache_size=-262144; BEGIN IMMEDIATE");
        !ok) {
        return ok;
    }
    auto tip = tip_of(db, source.origin);
    auto good = tip ? fits(*tip, source) : Result<bool>(fail(tip.error()));
    if (good && !*good) {
        if (auto ok = db.execute("ROLLBACK"); !ok) return ok;
        if (auto ok = begin_anew(db, source.origin); !ok) return ok;
        tip = IndexTip{true, 0, {}};
        if (auto ok = db.execute("BEGIN IMMEDIATE"); !ok) return ok;
    } else if (!good) {
        static_cast<void>(db.execute("ROLLBACK"));
        return fail(good.error());
    }
    auto filler = Filler::make(db);
    if (!filler) return fail(filler.error());
    Status state;
    std::uint64_t done = tip->size;
    std::string last = tip->leaf;
    const auto read = source.entries(done, [&](std::uint64_t index, std::string_view leaf) {
        state = (*filler)->add(index, leaf);
        if (!state) return false;
        done = index + 1;
        const bool pause = done % kBatch == 0;
        if (pause || done == source.size) last = digest_text(leaf_hash(leaf));
        if (!pause) return true;
        if (progress) progress(done, source.size);
        state = remember(db, done, last);
        if (state) state = db.execute("COMMIT; BEGIN IMMEDIATE");
        return state.has_value();
    });
    if (state && read) state = remember(db, done, last);
    if (!state || !read) {
        static_cast<void>(db.execute("ROLLBACK"));
        return state ? read : state;
    }
    if (progress && done > tip->size) progress(done, source.size);
    return db.execute("COMMIT");
}

}  // namespace writ::evidence

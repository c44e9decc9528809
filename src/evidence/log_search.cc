// Finding through the tables, and looking again in the log.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "evidence/database.h"
#include "evidence/index_rows.h"
#include "evidence/leaf.h"
#include "evidence/log_index.h"
#include "evidence/log_tables.h"
#include "evidence/words.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kMaxIndexFindings = 100;
constexpr std::size_t kCandidatesAtOnce = 256;

// `spiffe://…/agent/NAME` by its NAME or whole.
bool is_agent(std::string_view spiffe_id, std::string_view wanted) {
    return spiffe_id == wanted ||
           (spiffe_id.size() > wanted.size() && spiffe_id.ends_with(wanted) &&
            spiffe_id[spiffe_id.size() - wanted.size() - 1] == '/');
}

bool has_domain(const Leaf& leaf, std::string_view domain) {
    const auto list = leaf.data ? leaf.data->find("domains") : std::nullopt;
    if (!list || !list->is_array()) return false;
    return std::ranges::any_of(
        list->elements(), [&](const json::Value& entry) { return entry.as_string() == domain; });
}

bool has_text(const Leaf& leaf, std::string_view text) {
    std::set<std::string> wanted;
    split_words(text, wanted);
    const auto words = words_of(leaf);
    return std::ranges::includes(words, wanted);
}

class SqlIndex final : public LogIndex {
  public:
    SqlIndex(std::unique_ptr<Database> db, LeafSource source)
        : db_(std::move(db)), source_(std::move(source)) {}

    Result<std::vector<std::uint64_t>> by_key(const Uuid& id) override {
        const auto found = list("SELECT idx FROM keys WHERE k=?1 ORDER BY idx", key_of(id));
        if (!found) return found;
        const std::string text = id.text();
        std::vector<std::uint64_t> out;
        const auto read = source_.pick(*found, [&](std::uint64_t index, std::string_view bytes) {
            const auto leaf = read_leaf(bytes);
            const bool here =
                leaf && (leaf->id == text || leaf->call == text || leaf->text("jti") == text);
            if (here) out.push_back(index);
            return true;
        });
        if (!read) return fail(read.error());
        return out;
    }

    Result<std::vector<std::uint64_t>> naming(std::span<const Uuid> ids) override;

    Result<std::vector<std::uint64_t>> by_session(const Uuid& id) override {
        const auto n = scope(id);
        if (!n) return fail(n.error());
        if (*n == 0) return std::vector<std::uint64_t>();
        return list("SELECT idx FROM events WHERE session=?1 ORDER BY idx", *n);
    }

    Result<std::vector<std::uint64_t>> by_task(const Uuid& id, bool alone) override {
        const auto n = scope(id);
        if (!n) return fail(n.error());
        if (*n == 0) return std::vector<std::uint64_t>();
        if (alone) {
            return list(
                "SELECT idx FROM events WHERE session IS NULL AND task=?1 UNION "
                "SELECT idx FROM events WHERE session IN "
                "(SELECT n FROM scopes WHERE above=?1) AND task=?1 ORDER BY 1",
                *n);
        }
        // `top` has the root's number. Below it stand its tasks and its sessions, below those the
        // sessions of the tasks.
        return list(
            "WITH top(n) AS (SELECT coalesce((SELECT above FROM scopes WHERE n=?1), ?1)), "
            "near(n) AS (SELECT n FROM top UNION SELECT s.n FROM scopes s, top "
            "            WHERE s.above=top.n), "
            "far(n) AS (SELECT n FROM near UNION SELECT s.n FROM scopes s JOIN near "
            "           ON s.above=near.n) "
            "SELECT idx FROM events WHERE session IN (SELECT n FROM far) UNION "
            "SELECT idx FROM events WHERE session IS NULL AND task IN (SELECT n FROM near) "
            "ORDER BY 1",
            *n);
    }

    Result<std::vector<std::uint64_t>> search(const Query& query) override {
        auto statement = search_statement(query);
        if (!statement) return fail(statement.error());
        std::vector<std::uint64_t> out;
        while (out.size() < query.limit) {
            std::vector<std::uint64_t> some;
            bool ended = false;
            while (some.size() < kCandidatesAtOnce && !ended) {
                const auto more = statement->step();
                if (!more) return fail(more.error());
                ended = !*more;
                if (*more) some.push_back(static_cast<std::uint64_t>(statement->integer(0)));
            }
            if (auto ok = keep_matching(query, std::move(some), out); !ok) return fail(ok.error());
            if (ended) break;
        }
        if (out.size() > query.limit) out.resize(query.limit);
        return out;
    }

    Result<std::vector<std::string>> check(const Progress& progress) override;
    Status rebuild(const Progress& progress) override {
        if (auto ok = db_->execute("UPDATE meta SET v='' WHERE k='version'"); !ok) return ok;
        return fill_index(*db_, source_, progress);
    }
    const LeafSource& source() const override { return source_; }

  private:
    Result<std::vector<std::uint64_t>> list(const char* sql, std::int64_t value) {
        auto it = prepared_.find(sql);
        if (it == prepared_.end()) {
            auto made = db_->prepare(sql);
            if (!made) return fail(made.error());
            it = prepared_.emplace(sql, std::move(*made)).first;
        }
        Statement& statement = it->second;
        statement.bind(1, value);
        std::vector<std::uint64_t> out;
        auto more = statement.step();
        for (; more && *more; more = statement.step()) {
            const auto index = static_cast<std::uint64_t>(statement.integer(0));
            if (index < source_.size) out.push_back(index);
        }
        statement.reset();
        if (!more) return fail(more.error());
        return out;
    }

    Result<std::int64_t> scope(const Uuid& id) {
        auto statement = db_->prepare("SELECT n FROM scopes WHERE id=?");
        if (!statement) return fail(statement.error());
        const auto found = statement->bind_blob(1, blob_of(id)).step();
        if (!found) return fail(found.error());
        return *found ? statement->integer(0) : 0;
    }

    // `out` gets those that the log says match, in the order of `some`.
    Status keep_matching(const Query& query, std::vector<std::uint64_t> some,
                         std::vector<std::uint64_t>& out) {
        if (!query.oldest_first) std::ranges::reverse(some);
        std::vector<std::uint64_t> kept;
        const auto read = source_.pick(some, [&](std::uint64_t index, std::string_view bytes) {
            const auto leaf = read_leaf(bytes);
            if (leaf && matches(query, *leaf)) kept.push_back(index);
            return true;
        });
        if (!read) return read;
        if (!query.oldest_first) std::ranges::reverse(kept);
        out.insert(out.end(), kept.begin(), kept.end());
        return {};
    }

    Result<Statement> search_statement(const Query& query);

    std::unique_ptr<Database> db_;
    LeafSource source_;
    std::map<std::string_view, Statement> prepared_;  // by their text, a literal
    std::vector<std::string> held_;                   // what the newest search has bound
};

// OPTIMIZATION: the ids of one task lie close together in the table, so walking on from one is
// mostly quicker than looking for the next; where it is not, the walk ends after a few rows.
Result<std::vector<std::uint64_t>> SqlIndex::naming(std::span<const Uuid> ids) {
    constexpr int kRowsWalked = 16;
    std::vector<std::int64_t> keys;
    keys.reserve(ids.size());
    for (const Uuid& id : ids) keys.push_back(key_of(id));
    std::ranges::sort(keys);
    auto statement = db_->prepare("SELECT k, idx FROM causes WHERE k>=?1 ORDER BY k, idx");
    if (!statement) return fail(statement.error());
    std::vector<std::uint64_t> out;
    auto next = keys.begin();
    while (next != keys.end()) {
        statement->bind(1, *next);
        int missed = 0;
        auto more = statement->step();
        for (; more && *more; more = statement->step()) {
            const std::int64_t key = statement->integer(0);
            while (next != keys.end() && *next < key) ++next;
            if (next == keys.end()) break;
            const auto index = static_cast<std::uint64_t>(statement->integer(1));
            if (*next != key && ++missed > kRowsWalked) break;
            if (*next == key && index < source_.size) out.push_back(index);
        }
        if (!more) return fail(more.error());
        if (!*more) break;  // no row is left
        statement->reset();
    }
    std::ranges::sort(out);
    const auto same = std::ranges::unique(out);
    out.erase(same.begin(), same.end());
    return out;
}

std::string types_clause(std::string_view type) {
    std::string out;
    for (const auto known : known_types()) {
        const bool fits = type.ends_with('.') ? known.starts_with(type) : known == type;
        if (fits) out += fmt::format("{}{}", out.empty() ? "" : ",", type_number(known));
    }
    return " AND e.type IN (" + out + ")";
}

Result<Statement> SqlIndex::search_statement(const Query& query) {
    std::set<std::string> words;
    split_words(query.text, words);
    if (!query.domain.empty()) split_words(query.domain, words);
    std::string match;
    for (const auto& word : words) {
        // Beyond ASCII the tables may part a word in several; the log is asked about it anyway.
        const bool ascii =
            std::ranges::all_of(word, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
        if (ascii) match += fmt::format("\"{}\" ", word);
    }
    std::string sql = match.empty() ? "SELECT e.idx FROM events e WHERE 1"
                                    : "SELECT e.idx FROM texts JOIN events e ON e.idx=texts.rowid "
                                      "WHERE texts MATCH ?1";
    const std::string_view agent_clause =
        " AND e.agent IN (SELECT n FROM names WHERE name=?2 OR name LIKE '%/'||?2)";
    const std::string_view tool_clause =
        " AND e.action IN (SELECT n FROM names WHERE name=?3 OR name LIKE ?3||'/%' OR "
        "name LIKE '%/'||?3)";
    if (!query.agent.empty()) sql += agent_clause;
    if (!query.tool.empty()) sql += tool_clause;
    if (!query.type.empty()) sql += types_clause(query.type);
    if (!query.verdict.empty()) {
        const int verdict = query.verdict == "permit" ? 1 : query.verdict == "forbid" ? 2 : 3;
        sql += fmt::format(" AND e.verdict={}", verdict);
    }
    if (query.from_us > 0) sql += fmt::format(" AND e.t>={}", query.from_us);
    if (query.to_us > 0) sql += fmt::format(" AND e.t<{}", query.to_us);
    for (const auto& [id, column] : {std::pair{&query.session, "session"}, {&query.task, "task"}}) {
        if (id->empty()) continue;
        const auto uuid = Uuid::parse(*id);
        if (!uuid) {
            return fail(ErrorCode::kInvalid,
                        fmt::format("`{}` is not the id of a {}", *id, column));
        }
        const auto n = scope(*uuid);
        if (!n) return fail(n.error());
        sql += fmt::format(" AND e.{}={}", column, *n);
    }
    sql += match.empty() ? " ORDER BY e.idx" : " ORDER BY texts.rowid";
    sql += query.oldest_first ? " ASC" : " DESC";
    auto statement = db_->prepare(sql);
    if (!statement) return statement;
    // The statement outlives this call, and so must what is bound: SQLite copies none of it.
    held_.clear();
    held_.push_back(std::move(match));
    held_.push_back(query.agent);
    held_.push_back(query.tool);
    if (!held_[0].empty()) statement->bind(1, std::string_view(held_[0]));
    if (!query.agent.empty()) statement->bind(2, std::string_view(held_[1]));
    if (!query.tool.empty()) statement->bind(3, std::string_view(held_[2]));
    return statement;
}

Result<std::vector<std::string>> SqlIndex::check(const Progress& progress) {
    std::vector<std::string> out;
    const auto say = [&out](std::string what) {
        if (out.size() < kMaxIndexFindings) out.push_back(std::move(what));
    };
    auto row = db_->prepare("SELECT t, type, verdict, words FROM events WHERE idx=?");
    auto key = db_->prepare("SELECT 1 FROM keys WHERE k=? AND idx=?");
    auto word = db_->prepare("SELECT 1 FROM texts WHERE texts MATCH ? AND rowid=?");
    auto rows = db_->prepare("SELECT count(*) FROM events");
    if (!row || !key || !word || !rows) return fail(ErrorCode::kCorrupt, "index: tables missing");
    std::uint64_t expected = 0;
    const auto read = source_.entries(0, [&](std::uint64_t index, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (!leaf) return true;
        ++expected;
        const IndexRow want = row_of(*leaf);
        const auto idx = static_cast<std::int64_t>(index);
        const auto got = row->bind(1, idx).step();
        const bool same = got && *got && row->integer(0) == want.t_us &&
                          row->integer(1) == want.type && row->integer(2) == want.verdict &&
                          row->integer(3) == want.words_hash;
        row->reset();
        if (!same) say(fmt::format("entry {} is not in the index as the log has it", index));
        const auto known = key->bind(1, key_of(want.id)).bind(2, idx).step();
        if (!known || !*known) say(fmt::format("entry {} cannot be found by its id", index));
        key->reset();
        const std::string first = "\"" + want.words.substr(0, want.words.find(' ')) + "\"";
        if (first.size() > 2) {
            const auto found = word->bind(1, std::string_view(first)).bind(2, idx).step();
            if (!found || !*found) say(fmt::format("entry {} cannot be found by a word", index));
            word->reset();
        }
        if (progress && index % 4096 == 0) progress(index, source_.size);
        return true;
    });
    if (!read) return fail(read.error());
    const auto counted = rows->step();
    if (counted && *counted && rows->integer(0) != static_cast<std::int64_t>(expected)) {
        say(fmt::format("the index has {} events, the log {}", rows->integer(0), expected));
    }
    if (progress) progress(source_.size, source_.size);
    return out;
}

}  // namespace

bool matches(const Query& query, const Leaf& leaf) {
    const auto has = [](std::string_view wanted) { return !wanted.empty(); };
    if (has(query.agent) && !is_agent(agent_of(leaf), query.agent)) return false;
    if (has(query.tool)) {
        const auto action = leaf.text("action");
        const auto name = action.empty() ? leaf.text("tool") : action;
        const auto slash = name.find('/');
        const bool either =
            slash != std::string_view::npos &&
            (name.substr(0, slash) == query.tool || name.substr(slash + 1) == query.tool);
        if (name != query.tool && !either) return false;
    }
    if (has(query.type) && (query.type.ends_with('.') ? !leaf.type.starts_with(query.type)
                                                      : leaf.type != query.type)) {
        return false;
    }
    if (has(query.verdict) && (leaf.type != "call.decided" || leaf.text("kind") != query.verdict)) {
        return false;
    }
    if (query.from_us > 0 && leaf.t_us < query.from_us) return false;
    if (query.to_us > 0 && leaf.t_us >= query.to_us) return false;
    if (has(query.task) && leaf.task != query.task) return false;
    if (has(query.session) && leaf.session != query.session) return false;
    if (has(query.domain) && !has_domain(leaf, query.domain)) return false;
    return !has(query.text) || has_text(leaf, query.text);
}

Result<std::unique_ptr<LogIndex>> LogIndex::open(const std::filesystem::path& file,
                                                 LeafSource source, const Progress& progress) {
    for (int tries = 0;; ++tries) {
        auto db = Database::open(file);
        if (!db) return fail(db.error());
        const Status filled = fill_index(**db, source, progress);
        if (filled) return std::make_unique<SqlIndex>(std::move(*db), std::move(source));
        if (filled.error().code != ErrorCode::kCorrupt || tries > 0 || file.empty()) {
            return fail(filled.error());
        }
        // Damaged: it is only a copy.
        db->reset();
        std::error_code ignored;
        for (const char* ending : {"", "-wal", "-shm"}) {
            std::filesystem::remove(file.string() + ending, ignored);
        }
    }
}

}  // namespace writ::evidence

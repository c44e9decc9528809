// An index of a log, for finding: which entries have an id, belong to a session or a task, hold a
// word. It is made from the log, brought up to date before each use, and believed in nothing:
// whoever finds an entry through it reads the entry from the log and looks again. A wrong index can
// hide, never invent; check() compares it with the log, and deleting its file costs only the time
// to make it again.
//
//   meta    what it is an index of, up to which entry, and that entry's leaf hash
//   names   agents, actions: text → number
//   scopes  sessions and tasks: uuid → number; a session's task; a task's root
//   events  index → time, type, verdict, session, task, agent, action, hash of its words
//   keys    first 8 bytes of an id (event, call, jti) → index
//   causes  first 8 bytes of a cause's id → index of the event that names it
//   texts   FTS5 without content: words of data → index
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "evidence/source.h"

namespace writ::evidence {

// What to look for; what is empty does not narrow.
struct Query {
    std::string text = {};     // words, all of them, in the fields that are not sealed
    std::string agent = {};    // name or SPIFFE id
    std::string tool = {};     // `server/tool`, or either
    std::string domain = {};   // of the resource
    std::string verdict = {};  // permit | forbid | hold
    std::string type = {};     // call.decided …; `call.` = all that begin so
    std::string task = {}, session = {};
    std::int64_t from_us = 0, to_us = 0;  // 0: open
    std::size_t limit = 50;
    bool oldest_first = false;
};

class LogIndex {
  public:
    using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

    // Opens the index of `source` in `file` (empty: in memory) and indexes what is new. One that is
    // damaged, of another version or of another log is made anew. Errors: kIo, kUnavailable, those
    // of the log.
    static Result<std::unique_ptr<LogIndex>> open(const std::filesystem::path& file,
                                                  LeafSource source, const Progress& progress = {});
    virtual ~LogIndex() = default;

    // Entries of an event, a call or a jti; verified against the log. Rising.
    virtual Result<std::vector<std::uint64_t>> by_key(const Uuid& id) = 0;
    // Entries of a session; of a task's whole tree (with `alone`, of the one task). Rising, empty
    // if there is no such session or task.
    virtual Result<std::vector<std::uint64_t>> by_session(const Uuid& id) = 0;
    virtual Result<std::vector<std::uint64_t>> by_task(const Uuid& id, bool alone = false) = 0;
    // Entries that may name one of the events `ids` as a cause (its first 8 bytes agree). Rising.
    virtual Result<std::vector<std::uint64_t>> naming(std::span<const Uuid> ids) = 0;
    // Entries that match, newest first unless asked otherwise; each was read again.
    virtual Result<std::vector<std::uint64_t>> search(const Query& query) = 0;

    // Compares every row with the log. Findings; empty: it says what the log says.
    virtual Result<std::vector<std::string>> check(const Progress& progress = {}) = 0;
    // Makes it anew from the log.
    virtual Status rebuild(const Progress& progress = {}) = 0;
    virtual const LeafSource& source() const = 0;
};

// Whether `leaf` matches, as the log says it (without `limit`).
struct Leaf;
bool matches(const Query& query, const Leaf& leaf);

}  // namespace writ::evidence

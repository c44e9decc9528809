// The few calls of SQLite that the index of a log needs, as values. The index is a copy of what the
// log says and can be thrown away: nothing here is durable on purpose. Inner header of the room.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace writ::evidence {

class Database;

// A prepared statement. bind() counts from 1; texts and blobs must live until the next step().
class Statement {
  public:
    Statement() = default;
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;
    ~Statement();
    Statement& bind(int at, std::int64_t value);
    Statement& bind_null(int at);
    Statement& bind(int at, std::string_view text);
    Statement& bind_blob(int at, std::string_view bytes);
    // True while there is a row. Errors: kUnavailable (locked), kCorrupt, kIo.
    Result<bool> step();
    // step() to the end and reset().
    Status run();
    void reset();
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;  // until the next step()

  private:
    friend class Database;
    sqlite3_stmt* statement_ = nullptr;
};

class Database {
  public:
    // Opens or makes `file`; an empty path is a database in memory. Errors: kIo, kCorrupt.
    static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    // One or more statements. Errors: as Statement::step().
    Status execute(const std::string& sql);
    Result<Statement> prepare(std::string_view sql);
    std::int64_t last_rowid() const;

  private:
    explicit Database(sqlite3* db) : db_(db) {}
    sqlite3* db_;
};

}  // namespace writ::evidence

// The contract, run against SQLite, and what only SQLite has to fear: kills, foreign and newer
// files, a second process.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/temp_dir.h"
#include "store/sqlite_format.h"
#include "store/store_contract.h"

namespace writ::store {
namespace {

namespace fs = std::filesystem;

struct Folder : TempDir {
    fs::path state() const { return path() / "state.db"; }
};

struct SqliteSubject {
    Store& store() {
        if (!store_) {
            auto opened = open_sqlite(dir_.state());
            if (!opened) ADD_FAILURE() << opened.error().message();
            store_ = std::move(*opened);
        }
        return *store_;
    }
    void reopen() { store_.reset(); }

  private:
    Folder dir_;
    std::unique_ptr<Store> store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreContract, SqliteSubject);

// A raw connection, as an administrator or another program would use.
struct Raw {
    explicit Raw(const fs::path& file) { EXPECT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK); }
    ~Raw() { sqlite3_close(db); }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    void run(const std::string& sql) const { EXPECT_TRUE(execute(db, sql.c_str())) << sql; }
    sqlite3* db = nullptr;
};

TEST(SqliteStore, WhatWasAcknowledgedSurvivesAKill) {
    const Folder dir;
    std::array<int, 2> pipe_fds{};
    ASSERT_EQ(::pipe(pipe_fds.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = open_sqlite(dir.state());
        if (!store) ::_exit(1);
        for (std::uint64_t i = 0;; ++i) {
            const Key key{"acme", "n", "last"};
            if (!(*store)->apply("acme", {{key, std::to_string(i)}}, i)) ::_exit(2);
            if (::write(pipe_fds[1], &i, sizeof i) != sizeof i) ::_exit(3);
        }
    }
    ::close(pipe_fds[1]);
    std::uint64_t acknowledged = 0;
    while (acknowledged < 50) {
        ASSERT_EQ(::read(pipe_fds[0], &acknowledged, sizeof acknowledged),
                  static_cast<ssize_t>(sizeof acknowledged));
    }
    ::kill(child, SIGKILL);
    std::uint64_t more = 0;
    while (::read(pipe_fds[0], &more, sizeof more) == sizeof more) acknowledged = more;
    ::close(pipe_fds[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto store = open_sqlite(dir.state());
    ASSERT_TRUE(store) << store.error().message();
    const auto record = (*store)->get({"acme", "n", "last"});
    ASSERT_TRUE(record && *record);
    const auto value = std::stoull((*record)->value);
    EXPECT_GE(value, acknowledged);
    EXPECT_EQ((*record)->version, value + 1);
    EXPECT_EQ(*(*store)->applied("acme"), value) << "value and index belong to one commit";
}

TEST(SqliteStore, IsReadableByItsOwnerOnly) {
    const Folder dir;
    auto store = open_sqlite(dir.state());
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->apply("acme", {{{"acme", "k", "i"}, "v"}}));
    for (const auto& entry : fs::directory_iterator(dir.path())) {
        struct stat st{};
        ASSERT_EQ(::stat(entry.path().c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 0777U, 0600u) << entry.path();
    }
}

TEST(SqliteStore, ASecondOpenerIsRefused) {
    const Folder dir;
    auto first = open_sqlite(dir.state());
    ASSERT_TRUE(first);
    const auto second = open_sqlite(dir.state());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    first->reset();
    EXPECT_TRUE(open_sqlite(dir.state()));
}

TEST(SqliteStore, RefusesANewerFormatAndLeavesItAlone) {
    const Folder dir;
    {
        ASSERT_TRUE(open_sqlite(dir.state()));
    }
    {
        Raw(dir.state()).run("PRAGMA user_version = 999");
    }
    const auto opened = open_sqlite(dir.state());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(opened.error().detail.find("format 999"), std::string::npos);
}

TEST(SqliteStore, UpgradesAnOlderFormatStepByStepAndKeepsItsRecords) {
    const Folder dir;
    {
        auto store = open_sqlite(dir.state());
        ASSERT_TRUE((*store)->apply("acme", {{{"acme", "k", "i"}, "kept"}}, 3));
    }
    std::vector<const char*> steps(sqlite_steps().begin(), sqlite_steps().end());
    steps.push_back("ALTER TABLE records ADD COLUMN note TEXT NOT NULL DEFAULT ''");
    {
        const Raw raw(dir.state());
        ASSERT_TRUE(migrate(raw.db, steps));
        ASSERT_TRUE(migrate(raw.db, steps)) << "a second time nothing is to do";
        raw.run("UPDATE records SET note = value");
        // The program of today does not know that format.
        EXPECT_EQ(migrate(raw.db, sqlite_steps()).error().code, ErrorCode::kUnsupported);
        raw.run("ALTER TABLE records DROP COLUMN note; PRAGMA user_version = 1");
    }
    auto store = open_sqlite(dir.state());
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_EQ((**(*store)->get({"acme", "k", "i"})).value, "kept");
    EXPECT_EQ(*(*store)->applied("acme"), 3u);
}

TEST(SqliteStore, AFailedUpgradeLeavesTheOldFormat) {
    const Folder dir;
    {
        ASSERT_TRUE(open_sqlite(dir.state()));
    }
    std::vector<const char*> steps(sqlite_steps().begin(), sqlite_steps().end());
    steps.push_back("CREATE TABLE extra(a); CREATE TABLE records(b)");
    {
        const Raw raw(dir.state());
        EXPECT_FALSE(migrate(raw.db, steps));
        raw.run("CREATE TABLE extra(a); DROP TABLE extra");  // not there: rolled back
    }
    EXPECT_TRUE(open_sqlite(dir.state()));
}

TEST(SqliteStore, RefusesADatabaseOfSomebodyElse) {
    const Folder dir;
    {
        Raw(dir.state()).run("CREATE TABLE guests(name)");
    }
    const auto opened = open_sqlite(dir.state());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
}

TEST(SqliteStore, RefusesAFileThatIsNoDatabase) {
    const Folder dir;
    {
        std::ofstream(dir.state()) << std::string(8192, 'x');
    }
    const auto opened = open_sqlite(dir.state());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
}

TEST(SqliteStore, AMissingFolderIsAnErrorNotACrash) {
    const auto opened = open_sqlite("/nonexistent/writ/state.db");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace writ::store

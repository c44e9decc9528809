// What tests of evidence share: a ledger in memory that answers, waits or refuses as told, and a
// Recorder with everything it needs.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/temp_dir.h"
#include "evidence/encode.h"
#include "evidence/recorder.h"

namespace writ::evidence::testing {

inline constexpr std::int64_t kNovember = 1'795'460'000'000'000;  // of 2026

// Not thread-safe but for answers handed out on another thread while nothing is appended.
class MemoryLedger final : public ledger::Ledger {
  public:
    std::vector<std::string> entries;  // what is in the log
    bool hold = false;                 // answers wait for answer()
    bool outlives = false;             // what append_outliving() says
    std::optional<ErrorCode> refuse;   // every append fails at once
    bool full = false;                 // every append fails at once, but for what has space kept
    std::size_t waiting() const { return held_.size(); }

    void append(std::string entry, ledger::AppendDone done) override {
        if (full) {
            done(fail(ErrorCode::kUnavailable, "no room"));
        } else {
            append_kept(std::move(entry), std::move(done));
        }
    }
    bool append_outliving(std::string entry, const Sha256& /*leaf*/,
                          ledger::AppendDone done) override {
        const bool taken = !full && !refuse;
        append(std::move(entry), std::move(done));
        return taken && outlives;
    }
    void append_kept(std::string entry, ledger::AppendDone done) override {
        if (refuse) {
            done(fail(*refuse, "the log is not writable"));
        } else if (hold) {
            held_.push_back({std::move(entry), std::move(done)});
        } else {
            take(std::move(entry), done);
        }
    }
    // Answers the oldest held append: taken, or refused with `code`.
    void answer(std::optional<ErrorCode> code = {}) {
        auto [entry, done] = std::move(held_.front());
        held_.pop_front();
        if (code) {
            done(fail(*code, "not now"));
        } else {
            take(std::move(entry), done);
        }
    }
    Result<ledger::Appended> append_sync(std::string entry) override {
        entries.push_back(std::move(entry));
        return ledger::Appended{entries.size() - 1, leaf_hash(entries.back())};
    }
    Status flush() override { return {}; }
    ledger::Health health() const override {
        ledger::Health out;
        out.durable = entries.size();
        return out;
    }
    std::string vkey() const override { return {}; }
    Status read(std::uint64_t from,
                const std::function<bool(std::uint64_t, std::string_view)>& each) const override {
        for (std::uint64_t i = from; i < entries.size(); ++i) {
            if (!each(i, entries[static_cast<std::size_t>(i)])) break;
        }
        return {};
    }

  private:
    void take(std::string entry, const ledger::AppendDone& done) {
        entries.push_back(std::move(entry));
        done(ledger::Appended{entries.size() - 1, leaf_hash(entries.back())});
    }
    struct Held {
        std::string entry;
        ledger::AppendDone done;
    };
    std::deque<Held> held_;
};

// One emitter on one reactor over a MemoryLedger and a real vault.
struct Rig {
    explicit Rig(std::int64_t now_us = 1'795'460'000'000'000)
        : clock(now_us), ids(clock), vault(std::move(*Vault::open(dir.path() / "vault", "acme"))) {
        start();
    }
    // A new run of the gateway over the same log.
    void start() {
        recorder.reset();
        recorder = std::make_unique<Recorder>(
            RecorderOptions{"acme", "spiffe://acme.example/writ/gw-1/0", ids.mint<BootId>(),
                            "writ.local/log/acme/gw-1"},
            reactor, ledger, *vault, ids, clock);
    }
    // Records and waits.
    Result<Receipt> record(Draft draft) {
        clock.advance_us(1500);
        return reactor.run_until(recorder->record(std::move(draft)));
    }
    Result<Receipt> seal(SessionId session, std::string reason) {
        clock.advance_us(1500);
        return reactor.run_until(recorder->seal(session, std::move(reason), Draft{}));
    }
    // Lets everything that was posted run.
    void drain() {
        reactor.post([this] { reactor.post([this] { reactor.stop(); }); });
        reactor.run();
    }

    TempDir dir;
    ManualClock clock;
    IdSource ids;
    net::Reactor reactor;
    MemoryLedger ledger;
    std::unique_ptr<Vault> vault;
    std::unique_ptr<Recorder> recorder;
};

// The first `from` in `text` becomes `to`.
inline void replace(std::string& text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    WRIT_CHECK(at != std::string::npos);
    text.replace(at, from.size(), to);
}

// A line each.
inline std::string joined(const std::vector<std::string>& findings) {
    std::string out;
    for (const auto& finding : findings) out += finding + "\n";
    return out;
}

}  // namespace writ::evidence::testing

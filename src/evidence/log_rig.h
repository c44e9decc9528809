// A real ledger on disk with a Recorder: what tests of published logs share.
#pragma once

#include <memory>
#include <utility>

#include "crypto/sign.h"
#include "evidence/samples.h"
#include "evidence/trail.h"
#include "ledger/ledger.h"
#include "ledger/note.h"

namespace writ::evidence::testing {

struct LogRig {
    explicit LogRig(std::uint8_t seed_byte = 9) : seed(32, seed_byte) { open(); }

    static constexpr const char* kOrigin = "writ.local/log/acme/gw-1";

    void open() {
        ledger::Options options;
        options.dir = dir.path() / "data";
        options.tenant = "acme";
        options.node = "gw-1";
        options.origin = kOrigin;
        options.segment_bytes = 1 << 20;
        auto key = crypto::Ed25519Key::from_seed(seed);
        auto opened = ledger::Ledger::open(std::move(options), std::move(*key), clock);
        WRIT_CHECK(opened.has_value());
        ledger = std::move(*opened);
        recorder =
            std::make_unique<Recorder>(RecorderOptions{"acme", "spiffe://acme.example/writ/gw-1/0",
                                                       ids.mint<BootId>(), kOrigin},
                                       reactor, *ledger, *vault, ids, clock);
    }
    Result<Receipt> record(Draft draft) {
        return reactor.run_until(recorder->record(std::move(draft)));
    }
    EventId must(Draft draft) {
        const auto receipt = record(std::move(draft));
        WRIT_CHECK(receipt.has_value());
        return receipt->event;
    }
    Result<Receipt> seal(SessionId session, std::string reason = "completed") {
        return reactor.run_until(recorder->seal(session, std::move(reason), Draft{}));
    }
    // One session of one task, with a permitted, a forbidden and a held call, sealed.
    void record_everything() {
        must(story.of_writ("gateway.started"));
        must(story.task_started());
        must(story.session_started());
        must(story.identity("identity.issued"));
        call = ids.mint<CallId>();
        decision = must(story.decided(call, "permit"));
        must(story.ended(call, decision));
        must(story.decided(ids.mint<CallId>(), "forbid"));
        must(story.decided(ids.mint<CallId>(), "hold"));
        WRIT_CHECK(seal(story.session).has_value());
        must(story.task_ended("ended"));
    }
    ledger::LogReader reader() {
        WRIT_CHECK(ledger->flush().has_value());
        auto log = ledger::LogReader::open(dir.path() / "data/log/acme/gw-1", ledger->vkey());
        WRIT_CHECK(log.has_value());
        return std::move(*log);
    }

    TempDir dir;
    Bytes seed;
    SystemClock clock;
    IdSource ids{clock};
    std::unique_ptr<Vault> vault = std::move(*Vault::open(dir.path() / "vault", "acme"));
    net::Reactor reactor;  // outlives the ledger, which posts to it
    std::unique_ptr<ledger::Ledger> ledger;
    std::unique_ptr<Recorder> recorder;
    Story story{ids};
    CallId call;
    EventId decision;
};

}  // namespace writ::evidence::testing

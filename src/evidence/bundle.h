// Evidence bundles: the events of one incident with their inclusion proofs under one checkpoint, in
// one file that is checked anywhere. docs/spec/evidence/bundle.md is the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evidence/sink.h"
#include "ledger/reader.h"

namespace writ::evidence {

// One bundle; a task tree of 100,000 events has about 200 MB.
inline constexpr std::size_t kMaxBundleBytes = 256 << 20;
inline constexpr std::size_t kMaxBundleEvents = 200'000;

// What was asked for.
struct BundleAbout {
    std::string id, kind;
    std::int64_t made_us = 0;
};

struct BundleReport;

// `indexes`: rising. `witnesses`: vkeys of those whose cosignatures may stand under the checkpoint.
// Writes it to `sink`, each event checked from the bytes that are handed out, and says what the
// check found to be whole; memory does not grow with the events but for their ids. Errors:
// kTooLarge, kInvalid (a vkey), kCorrupt (a log that does not prove its own entries makes no
// bundle), and the sink's: then what was written is no bundle.
Result<BundleReport> make_bundle(const ledger::LogReader& log, std::string_view vkey,
                                 const std::vector<std::string>& witnesses,
                                 const BundleAbout& about,
                                 const std::vector<std::uint64_t>& indexes, const Sink& sink);

struct BundleReport {
    std::string origin, fingerprint;  // of the log's key
    std::uint64_t size = 0;           // of the checkpoint's tree
    bool self_declared = false;       // no key was given: the bundle's own was believed
    std::size_t events = 0, cosignatures = 0;
    BundleAbout about;
    std::vector<std::string> whole, parts;  // chains: uid, or what of it is here
    std::vector<std::string> findings;      // empty: all holds
};

// Checks `text` under `vkey` (the log's key from elsewhere), or the bundle's own key if empty; of
// `witnesses` at least `quorum` must have signed. Pure. Cost: about 15 us an event.
BundleReport check_bundle(std::string_view text, std::string_view vkey,
                          const std::vector<std::string>& witnesses = {}, std::size_t quorum = 0);

// `sha256:…` of the public key of a vkey. Errors: kInvalid.
Result<std::string> key_fingerprint(std::string_view vkey);

// A receipt as a caller got it (`_meta["dev.writ/receipt"]`): origin, index, leaf, event.
struct ReceiptClaim {
    std::string origin, leaf, event;
    std::uint64_t index = 0;
};
// From a receipt, an answer's `_meta`, a result or a whole JSON-RPC answer: the first object named
// `dev.writ/receipt`, or the object itself. Errors: kInvalid.
Result<ReceiptClaim> parse_receipt(std::string_view text);
// What contradicts the claim in this log; empty: the log has it, provably. A receipt beyond the
// checkpoint's size is a finding: the log was cut, or is older than the receipt.
std::vector<std::string> check_receipt(const ledger::LogReader& log, const ReceiptClaim& claim);

}  // namespace writ::evidence

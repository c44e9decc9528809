// What the verbs of `writ evidence` share: which log they read, its index and its vault, and how
// progress shows.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/config.h"
#include "cli/verb.h"
#include "evidence/log_index.h"
#include "evidence/payloads.h"
#include "evidence/sink.h"
#include "evidence/vault.h"
#include "ledger/reader.h"

namespace writ::cli::evidence_verbs {

// Which log a verb reads: --log DIR, or the configuration's.
struct Where {
    std::string log;    // --log
    std::string vkey;   // --vkey: a file; default log.vkey beside the checkpoint
    std::string index;  // --index: a file
};

struct Opened {
    ledger::LogReader log;
    std::string vkey;                           // the key's text
    std::optional<Config> config;               // unless --log was given without one
    std::unique_ptr<evidence::Vault> vault;     // where asked for
    std::unique_ptr<evidence::LogIndex> index;  // where asked for; refers to `log`
    std::unique_ptr<evidence::PayloadReader> payloads;
};

enum class Need : std::uint8_t { kLog = 0, kIndex = 1, kVault = 2, kBoth = 3 };

// Errors: those of the parts; kNotFound says how to name a log.
Result<std::unique_ptr<Opened>> open_log(const Context& context, const Where& where, Need need);

// Adds --log, --vkey and, with an index, --index.
void add_where(Command verb, const std::shared_ptr<Where>& where, bool with_index);

// A bar on a terminal's stderr; silent elsewhere. Not for two things at once.
std::function<void(std::uint64_t, std::uint64_t)> progress(std::string_view what);

// One whole file. Errors: kNotFound, kTooLarge, kIo.
Result<std::string> read_text(const std::filesystem::path& file, std::size_t bytes_max);
// `-` is standard output. Never half a file: written beside and renamed. Errors: kIo.
Status write_text(const std::string& file, std::string_view text);
// The same of a text that `write` gives in pieces; on its error no file is left.
Status write_text(const std::string& file,
                  const std::function<Status(const evidence::Sink&)>& write);

// `2026-11-24`, `2026-11-24T09:30:00Z` or `90m`, `24h`, `7d` before now: Unix microseconds. Errors:
// kInvalid.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us);

// One file a verb, each adds itself.
void add_trace(Command app, Context& context);
void add_verify(Command app, Context& context);
void add_tail(Command app, Context& context);
void add_search(Command app, Context& context);
void add_bundle(Command app, Context& context);
void add_explain(Command app, Context& context);
void add_replay(Command app, Context& context);
void add_shred(Command app, Context& context);
void add_export(Command app, Context& context);

}  // namespace writ::cli::evidence_verbs

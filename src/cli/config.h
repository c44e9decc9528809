// writ.toml and task files, read into the rooms' own types. Relative paths are taken from the
// folder of the file.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"
#include "cli/evidence_config.h"
#include "identity/types.h"
#include "ledger/ledger.h"

namespace writ::cli {

// `[log]`: who confirms the evidence log, and where its second copy is.
struct LogConfig {
    std::filesystem::path policy;           // tlog-policy file; empty: no witnesses
    std::filesystem::path witness_ca_file;  // PEM, for witnesses over https; empty: the system's
    ledger::OnMissingQuorum on_missing_quorum = ledger::OnMissingQuorum::kPublish;
    std::int64_t witness_every_s = 1, quorum_grace_s = 10, heartbeat_s = 60;
    std::filesystem::path mirror;    // empty: none
    std::uint64_t keep_entries = 0;  // 0: all
    bool operator==(const LogConfig&) const = default;
};

// Everything `writ up` is told. docs/guide/configuration.md lists the keys with their defaults.
struct Config {
    std::filesystem::path file;
    std::string trust_domain;
    std::string tenant;
    std::string node;
    std::filesystem::path data;
    std::string agents_listen;  // `127.0.0.1:7420`; empty = no TCP listener
    std::filesystem::path agents_socket, operators_socket;
    std::string readers_listen;  // the log; empty = off
    bool metrics = false;        // and `/metrics` beside it
    LogConfig log;
    bool bearer = false;  // whether writs may be presented as bearer tokens on agents_listen
    std::filesystem::path policies;
    std::size_t reactors = 1;
    std::int64_t resume_grace_s = 60;  // for launchers to come back after a restart
    std::int64_t stop_grace_s = 10;    // for calls in flight when the gateway stops
    std::vector<identity::Agent> agents;
    std::vector<identity::Person> people;
    std::vector<catalog::ServerSpec> servers;
    std::vector<catalog::DomainRule> domains;
    EvidenceConfig evidence;
    Sha256 digest{};  // of the file's bytes

    std::string public_url() const { return "http://" + agents_listen; }
    std::string origin() const { return trust_domain + "/log/" + tenant + "/" + node; }
    std::filesystem::path log_dir() const { return data / "log" / tenant / node; }
};

// Errors: kNotFound (no file; says how to make one), kInvalid with file, line, column.
Result<Config> load_config(const std::filesystem::path& file);
Result<Config> parse_config(std::string_view text, std::string name);

// A task file (examples/quickstart/task.toml). Errors as load_config(); a grant's `when` that does
// not parse is reported at its line.
Result<identity::TaskSpec> load_task(const std::filesystem::path& file);

// Where things are when nobody says: $WRIT_CONFIG, ./writ.toml.
std::filesystem::path default_config_file();
// $XDG_STATE_HOME/writ or ~/.local/state/writ; $XDG_RUNTIME_DIR/writ or /tmp/writ-<uid>.
std::filesystem::path default_data_dir();
std::filesystem::path default_runtime_dir();

}  // namespace writ::cli

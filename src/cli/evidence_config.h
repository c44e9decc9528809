// What writ.toml says about evidence: who keeps the vault's key, what is redacted, where events go.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "evidence/custody.h"
#include "evidence/event.h"
#include "evidence/exporter.h"
#include "evidence/redact.h"
#include "identity/types.h"

namespace writ::cli {

class TomlTable;

struct EvidenceConfig {
    evidence::CustodySpec custody;              // [vault]
    evidence::RedactionSpec redaction;          // [redact]
    std::vector<evidence::ExportSpec> exports;  // [[export]]
    bool operator==(const EvidenceConfig&) const = default;
};

// Reads the tables of `root`; errors are recorded in it. Relative paths are taken from `file`.
EvidenceConfig read_evidence(TomlTable& root, const std::filesystem::path& file);

// The text of a policy set as a payload of the event that names its digest, so that a decision can
// be recomputed later: {"agents":[{"groups","name","spiffe_id"}],"files":[[name, text], …]}.
evidence::Payload policy_payload(const std::vector<std::pair<std::string, std::string>>& files,
                                 const std::vector<identity::Agent>& agents);

}  // namespace writ::cli

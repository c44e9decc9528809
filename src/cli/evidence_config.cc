#include "cli/evidence_config.h"

#include <algorithm>

#include "cli/config_values.h"
#include "cli/toml_reader.h"
#include "json/node.h"

namespace writ::cli {

namespace {

void read_vault(TomlTable vault, const std::filesystem::path& file, evidence::CustodySpec& out) {
    out.kind = vault.string("custody", "file");
    if (out.kind != "file" && out.kind != "passphrase" && out.kind != "pkcs11") {
        vault.reject("custody", "`custody` is file, passphrase or pkcs11");
    }
    out.passphrase_file = path_key(vault, "passphrase_file", file).string();
    out.module = vault.string("module", "");
    out.token = vault.string("token", "");
    out.key = vault.string("key", "");
    // Whoever writes them believes that they protect something.
    if (out.kind == "file" && vault.has("passphrase_file")) {
        vault.reject("passphrase_file",
                     "`passphrase_file` protects nothing here: write custody = \"passphrase\"");
    }
    for (const char* key : {"module", "token", "key"}) {
        if (out.kind != "pkcs11" && vault.has(key)) {
            vault.reject(key, "`" + std::string(key) + "` is for custody = \"pkcs11\"");
        }
    }
    if (out.kind != "file" && out.passphrase_file.empty()) {
        vault.reject("custody",
                     "`passphrase_file` is missing: the file with the passphrase, or the PIN");
    }
    if (out.kind == "pkcs11" && (out.module.empty() || out.token.empty())) {
        vault.reject("custody",
                     "`module` (the PKCS#11 library) and `token` (its label) are "
                     "missing");
    }
}

}  // namespace

EvidenceConfig read_evidence(TomlTable& root, const std::filesystem::path& file) {
    EvidenceConfig out;
    read_vault(root.table("vault"), file, out.custody);
    TomlTable redact = root.table("redact");
    out.redaction.secrets = redact.boolean("secrets", true);
    out.redaction.fields = redact.strings("fields");
    out.redaction.patterns = redact.strings("patterns");
    // Only what the operator wrote can be wrong; the rest is compiled by who redacts.
    auto own = out.redaction;
    own.secrets = false;
    if (const auto made = evidence::Redactor::make(own); !made) {
        redact.reject("patterns", made.error().detail);
    }
    for (auto& table : root.tables("export")) {
        evidence::ExportSpec spec;
        spec.name = table.string("name");
        spec.to = table.string("to");
        spec.token_file = path_key(table, "token_file", file).string();
        spec.bearer_env = table.string("bearer_env", "");
        spec.ca_file = path_key(table, "ca_file", file).string();
        const auto format = evidence::parse_export_format(table.string("format", "jsonl"));
        if (!format) table.reject("format", format.error().detail);
        if (format) spec.format = *format;
        if (const auto ok = evidence::check_export(spec); !ok) {
            table.reject("to", ok.error().detail);
        }
        const bool twice = std::ranges::any_of(
            out.exports, [&](const auto& other) { return other.name == spec.name; });
        if (twice) table.reject("name", "two exports are called `" + spec.name + "`");
        out.exports.push_back(std::move(spec));
    }
    return out;
}

evidence::Payload policy_payload(const std::vector<std::pair<std::string, std::string>>& files,
                                 const std::vector<identity::Agent>& agents) {
    json::Node out = json::Node::object();
    out["files"] = json::Node::array();
    for (const auto& [name, text] : files) {
        json::Node entry = json::Node::array();
        entry.push_back(std::filesystem::path(name).filename().string());
        entry.push_back(text);
        out["files"].push_back(std::move(entry));
    }
    out["agents"] = json::Node::array();
    for (const auto& agent : agents) {
        json::Node entry = json::Node::object();
        entry["name"] = agent.name;
        entry["spiffe_id"] = agent.spiffe_id;
        entry["groups"] = json::Node::array();
        for (const auto& group : agent.groups) entry["groups"].push_back(group);
        out["agents"].push_back(std::move(entry));
    }
    return {"policy", out.dump(), "application/json"};
}

}  // namespace writ::cli

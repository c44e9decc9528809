// Writing a bundle: every proof is checked before it leaves.
#include <fmt/format.h>

#include <map>

#include "crypto/hash.h"
#include "evidence/bundle.h"
#include "evidence/leaf.h"
#include "json/node.h"
#include "ledger/note.h"

namespace writ::evidence {

namespace {

json::Node key_node(std::string_view member, std::string_view name, std::string_view vkey,
                    const std::string& fingerprint) {
    json::Node out = json::Node::object();
    out[member] = name;
    out["vkey"] = vkey;
    out["fingerprint"] = fingerprint;
    return out;
}

// What of a chain is here.
struct Span {
    std::uint64_t events = 0, first = 0, last = 0;
    bool session = false, sealed = false;
};

void count_in(std::map<std::string, Span>& spans, const Leaf& leaf) {
    const auto [it, fresh] = spans.try_emplace(std::string(leaf.chain));
    Span& span = it->second;
    if (fresh) span.first = leaf.chain_seq;
    ++span.events;
    span.last = leaf.chain_seq;
    span.session = leaf.chain == leaf.session;
    span.sealed = span.sealed || leaf.type == "session.sealed";
}

json::Node chains_node(const std::map<std::string, Span>& spans) {
    json::Node out = json::Node::array();
    for (const auto& [uid, span] : spans) {
        json::Node entry = json::Node::object();
        entry["uid"] = uid;
        entry["events"] = span.events;
        entry["whole"] =
            span.session && span.sealed && span.first == 0 && span.events == span.last + 1;
        out.push_back(std::move(entry));
    }
    return out;
}

}  // namespace

// Of a log (Ed25519, type 0x01) or a witness (cosignature, type 0x04).
Result<std::string> key_fingerprint(std::string_view vkey) {
    auto key = ledger::NoteVerifier::parse(vkey, ledger::KeyRole::kLog);
    if (!key) key = ledger::NoteVerifier::parse(vkey, ledger::KeyRole::kWitness);
    if (!key) return fail(key.error());
    return digest_text(crypto::sha256(ByteView(key->key)));
}

Result<std::string> make_bundle(const ledger::LogReader& log, std::string_view vkey,
                                const std::vector<std::string>& witnesses, const BundleAbout& about,
                                const std::vector<std::uint64_t>& indexes) {
    if (indexes.size() > kMaxBundleEvents) {
        return fail(ErrorCode::kTooLarge,
                    fmt::format("{} events, a bundle holds {}: ask for a session or a call",
                                indexes.size(), kMaxBundleEvents));
    }
    json::Node out = json::Node::object();
    out["schema"] = "writ.evidence-bundle/1";
    out["about"]["id"] = about.id;
    out["about"]["kind"] = about.kind;
    out["about"]["made_us"] = about.made_us;
    const auto own = key_fingerprint(vkey);
    if (!own) return fail(own.error());
    out["log"] = key_node("origin", log.checkpoint().origin, vkey, *own);
    out["witnesses"] = json::Node::array();
    for (const auto& witness : witnesses) {
        const auto print = key_fingerprint(witness);
        if (!print) return fail(print.error());
        out["witnesses"].push_back(
            key_node("name", witness.substr(0, witness.find('+')), witness, *print));
    }
    out["checkpoint"] = log.checkpoint().note;
    out["events"] = json::Node::array();
    std::map<std::string, Span> spans;
    for (const std::uint64_t index : indexes) {
        const auto bytes = log.entry(index);
        if (!bytes) return fail(bytes.error());
        const auto path = log.inclusion(index);
        if (!path) return fail(path.error());
        const auto leaf = read_leaf(*bytes);
        if (!leaf) return fail(leaf.error().in(fmt::format("event {}", index)));
        count_in(spans, *leaf);
        json::Node entry = json::Node::object();
        entry["index"] = index;
        entry["leaf"] = *bytes;
        entry["proof"] = json::Node::array();
        for (const auto& hash : *path) entry["proof"].push_back(to_base64(hash));
        out["events"].push_back(std::move(entry));
    }
    out["chains"] = chains_node(spans);
    std::string text = out.dump();
    if (text.size() > kMaxBundleBytes) {
        return fail(ErrorCode::kTooLarge, "the bundle is too large: ask for a session or a call");
    }
    // What we hand out must hold: a bundle that our own check refuses would only be found later.
    const auto report = check_bundle(text, vkey);
    if (!report.findings.empty()) return fail(ErrorCode::kCorrupt, report.findings.front());
    return text + "\n";
}

}  // namespace writ::evidence

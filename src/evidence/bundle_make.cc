// Writing a bundle: every proof is checked before it leaves.
#include <fmt/format.h>

#include <map>

#include "crypto/hash.h"
#include "evidence/bundle.h"
#include "evidence/bundle_form.h"
#include "evidence/leaf.h"
#include "evidence/source.h"
#include "json/node.h"
#include "ledger/note.h"

namespace writ::evidence {

namespace {

json::Node key_node(std::string_view member, const BundleKey& key) {
    json::Node out = json::Node::object();
    out[member] = key.name;
    out["vkey"] = key.vkey;
    out["fingerprint"] = key.fingerprint;
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

std::vector<BundleChain> chains_of(const std::map<std::string, Span>& spans) {
    std::vector<BundleChain> out;
    for (const auto& [uid, span] : spans) {
        const bool whole =
            span.session && span.sealed && span.first == 0 && span.events == span.last + 1;
        out.push_back({uid, whole, span.events});
    }
    return out;
}

json::Node chains_node(const std::vector<BundleChain>& chains) {
    json::Node out = json::Node::array();
    for (const auto& chain : chains) {
        json::Node entry = json::Node::object();
        entry["uid"] = chain.uid;
        entry["events"] = chain.events;
        entry["whole"] = chain.whole;
        out.push_back(std::move(entry));
    }
    return out;
}

// All but events and chains.
Result<Bundle> head_of(const ledger::LogReader& log, std::string_view vkey,
                       const std::vector<std::string>& witnesses, const BundleAbout& about) {
    Bundle out;
    out.about = about;
    const auto own = key_fingerprint(vkey);
    if (!own) return fail(own.error());
    out.log = {log.checkpoint().origin, std::string(vkey), *own};
    for (const auto& witness : witnesses) {
        const auto print = key_fingerprint(witness);
        if (!print) return fail(print.error());
        out.witnesses.push_back({witness.substr(0, witness.find('+')), witness, *print});
    }
    out.checkpoint = log.checkpoint().note;
    return out;
}

// What the chains have here: they stand before the events in the canonical form.
Result<std::vector<BundleChain>> count_chains(const LeafSource& source,
                                              const std::vector<std::uint64_t>& indexes) {
    std::map<std::string, Span> spans;
    Status state;
    const auto read = source.pick(indexes, [&](std::uint64_t index, std::string_view bytes) {
        const auto leaf = read_leaf(bytes);
        if (leaf) count_in(spans, *leaf);
        if (!leaf) state = fail(leaf.error().in(fmt::format("event {}", index)));
        return state.has_value();
    });
    if (!read) return fail(read.error());
    if (!state) return fail(state.error());
    return chains_of(spans);
}

// Counts what passes: a bundle has a size that readers take.
class BundleWriter {
  public:
    explicit BundleWriter(const Sink& sink)
        : counted_([this, &sink](std::string_view piece) -> Status {
              bytes_ += piece.size();
              if (bytes_ <= kMaxBundleBytes) return sink(piece);
              return fail(ErrorCode::kTooLarge,
                          "the bundle is too large: ask for a session or a call");
          }),
          out_(counted_) {}
    Pieces& out() { return out_; }

    void member(std::string_view name, const json::Node& value) {
        auto& text = out_.text();
        text.append(text.empty() && bytes_ == 0 ? "{\"" : ",\"").append(name).append("\":");
        text += value.dump();
    }

  private:
    std::size_t bytes_ = 0;
    const Sink counted_;
    Pieces out_;
};

void append_event(std::string& out, std::uint64_t index, std::string_view bytes,
                  const std::vector<Sha256>& path) {
    out.append("{\"index\":").append(std::to_string(index)).append(",\"leaf\":");
    json::append_string(out, bytes);
    out += ",\"proof\":[";
    for (std::size_t i = 0; i < path.size(); ++i)
        out.append(i == 0 ? "\"" : ",\"").append(to_base64(path[i])).append("\"");
    out += "]}";
}

// What we hand out must hold: a bundle that our own check refuses would only be found later. So
// each event is read back from its text and checked before it leaves.
Status write_events(const ledger::LogReader& log, const std::vector<std::uint64_t>& indexes,
                    BundleCheck& check, Pieces& out) {
    Status state;
    const auto read =
        source_of(log).pick(indexes, [&](std::uint64_t index, std::string_view bytes) {
            const auto path = log.path(index);
            if (!path) state = fail(path.error());
            if (!path) return false;
            auto& text = out.text();
            text += index == indexes.front() ? "" : ",";
            const std::size_t at = text.size();
            append_event(text, index, bytes, *path);
            const auto again = parse_bundle_event(std::string_view(text).substr(at));
            if (!again) state = fail(again.error());
            if (!again) return false;
            check.event(*again);
            out.pause();
            return check.found_nothing() && !out.failed();
        });
    if (!read) return read;
    return state;
}

}  // namespace

// Of a log (Ed25519, type 0x01) or a witness (cosignature, type 0x04).
Result<std::string> key_fingerprint(std::string_view vkey) {
    auto key = ledger::NoteVerifier::parse(vkey, ledger::KeyRole::kLog);
    if (!key) key = ledger::NoteVerifier::parse(vkey, ledger::KeyRole::kWitness);
    if (!key) return fail(key.error());
    return digest_text(crypto::sha256(ByteView(key->key)));
}

Result<BundleReport> make_bundle(const ledger::LogReader& log, std::string_view vkey,
                                 const std::vector<std::string>& witnesses,
                                 const BundleAbout& about,
                                 const std::vector<std::uint64_t>& indexes, const Sink& sink) {
    if (indexes.empty() || indexes.size() > kMaxBundleEvents) {
        return fail(ErrorCode::kTooLarge,
                    fmt::format("{} events, a bundle holds 1 to {}: ask for a session or a call",
                                indexes.size(), kMaxBundleEvents));
    }
    const auto head = head_of(log, vkey, witnesses, about);
    if (!head) return fail(head.error());
    const auto chains = count_chains(source_of(log), indexes);
    if (!chains) return fail(chains.error());
    BundleCheck check(*head, vkey, {}, 0);
    BundleWriter writer(sink);
    json::Node what = json::Node::object();
    what["id"] = about.id;
    what["kind"] = about.kind;
    what["made_us"] = about.made_us;
    json::Node signers = json::Node::array();
    for (const auto& witness : head->witnesses) signers.push_back(key_node("name", witness));
    // In the order of RFC 8785.
    writer.member("about", what);
    writer.member("chains", chains_node(*chains));
    writer.member("checkpoint", head->checkpoint);
    writer.out().text() += ",\"events\":[";
    if (auto done = write_events(log, indexes, check, writer.out()); !done)
        return fail(done.error());
    if (writer.out().failed()) return fail(writer.out().finish().error());
    auto report = check.finish(*chains);
    if (!report.findings.empty()) return fail(ErrorCode::kCorrupt, report.findings.front());
    writer.out().text() += "]";
    writer.member("log", key_node("origin", head->log));
    writer.member("schema", "writ.evidence-bundle/1");
    writer.member("witnesses", signers);
    writer.out().text() += "}\n";
    if (auto done = writer.out().finish(); !done) return fail(done.error());
    return report;
}

}  // namespace writ::evidence

// The findings of docs/spec/evidence/bundle.md, section 2, in its order.
#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/inert.h"
#include "crypto/hash.h"
#include "evidence/bundle.h"
#include "evidence/bundle_form.h"
#include "evidence/encode.h"
#include "evidence/fingerprints.h"
#include "evidence/leaf.h"
#include "ledger/note.h"
#include "ledger/tree.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kMaxBundleFindings = 1000;

}  // namespace

class BundleChecker {
  public:
    BundleChecker(const Bundle& bundle, BundleReport& report) : bundle_(bundle), report_(report) {}

  private:
    struct Chain {
        std::uint64_t events = 0, first = 0, next = 0, calls = 0, denied = 0;
        std::uint64_t first_index = 0;
        Sha256 prev{};
        bool session = false, started = false, sealed = false, hole = false;
    };

    void finding(std::string_view what) {
        if (report_.findings.size() < kMaxBundleFindings) {
            report_.findings.push_back(inert(what, 512));
        }
    }

  public:
    // Finding 2.
    bool check_key(std::string_view vkey) {
        const BundleKey& own = bundle_.log;
        if (!vkey.empty() && vkey != own.vkey) {
            finding("the bundle is of another log key than the one given");
            return false;
        }
        report_.self_declared = vkey.empty();
        const auto key = ledger::NoteVerifier::parse(own.vkey);
        if (!key) {
            finding("the log's key is malformed");
            return false;
        }
        report_.origin = own.name;
        report_.fingerprint = digest_text(crypto::sha256(ByteView(key->key)));
        if (report_.fingerprint != own.fingerprint) finding("the fingerprint is not the key's");
        if (own.name != key->name) finding("the origin is not the name of the log's key");
        key_ = *key;
        return true;
    }

    // Finding 3.
    bool check_checkpoint(const std::vector<std::string>& witnesses, std::size_t quorum) {
        const auto text = ledger::open_note(bundle_.checkpoint, key_);
        if (!text) {
            finding("checkpoint: " + text.error().message());
            return false;
        }
        const auto body = ledger::parse_checkpoint(*text);
        if (!body || body->origin != bundle_.log.name) {
            finding("the checkpoint is not of this log");
            return false;
        }
        checkpoint_ = *body;
        report_.size = body->size;
        for (const auto& vkey : witnesses) {
            const auto signed_at = cosigned(vkey, *text);
            if (signed_at == Cosigned::kBad) finding("a cosignature does not verify: " + vkey);
            if (signed_at == Cosigned::kYes) ++report_.cosignatures;
        }
        if (report_.cosignatures < quorum) {
            finding(fmt::format("{} of {} required witnesses have signed", report_.cosignatures,
                                quorum));
        }
        for (const auto& witness : bundle_.witnesses) {
            const auto print = key_fingerprint(witness.vkey);
            if (!print || *print != witness.fingerprint) {
                finding("a witness's fingerprint is not its key's");
            } else if (cosigned(witness.vkey, *text) == Cosigned::kBad) {
                finding("a listed witness's cosignature does not verify: " + witness.vkey);
            }
        }
        return true;
    }

  private:
    // cosignature/v1 (c2sp.org/tlog-cosignature): type 0x04, 8 bytes of time and a signature over
    // a header with that time and the checkpoint's text.
    enum class Cosigned : std::uint8_t { kNo, kYes, kBad };
    Cosigned cosigned(std::string_view vkey, std::string_view text) const {
        const auto name_end = vkey.find('+');
        const auto id_end = vkey.find('+', name_end + 1);
        if (id_end == std::string_view::npos) return Cosigned::kBad;
        const auto name = vkey.substr(0, name_end);
        const auto key = from_base64(vkey.substr(id_end + 1));
        const auto id = from_hex(vkey.substr(name_end + 1, id_end - name_end - 1));
        if (!key || !id || key->size() != 33 || id->size() != 4 || (*key)[0] != 4) {
            return Cosigned::kBad;
        }
        crypto::Ed25519Key::Public public_key{};
        std::copy(key->begin() + 1, key->end(), public_key.begin());
        const std::string lead = fmt::format("— {} ", name);
        std::string_view rest = bundle_.checkpoint;
        Cosigned out = Cosigned::kNo;
        while (!rest.empty()) {
            const auto end = rest.find('\n');
            const auto line = rest.substr(0, end);
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
            if (!line.starts_with(lead)) continue;
            const auto raw = from_base64(line.substr(lead.size()));
            if (!raw || raw->size() < 4 || !std::equal(id->begin(), id->end(), raw->begin())) {
                continue;
            }
            if (raw->size() != 4 + 8 + 64) return Cosigned::kBad;
            std::uint64_t time = 0;
            for (std::size_t i = 4; i < 12; ++i) time = time << 8 | (*raw)[i];
            const std::string message = fmt::format("cosignature/v1\ntime {}\n{}", time, text);
            if (!crypto::ed25519_verify(public_key, as_bytes(message),
                                        ByteView(*raw).subspan(12))) {
                return Cosigned::kBad;
            }
            out = Cosigned::kYes;
        }
        return out;
    }

  public:
    // Findings 4, 5 and 9.
    void check_event(const BundleEvent& event) {
        const Sha256 hash = leaf_hash(event.leaf);
        if (!ledger::check_inclusion(event.index, checkpoint_.size, hash, event.proof,
                                     checkpoint_.root)) {
            finding(fmt::format("event {}: its proof does not lead to the checkpoint's root",
                                event.index));
            return;
        }
        const auto leaf = read_leaf(event.leaf);
        if (!leaf) {
            finding(fmt::format("event {}: {}", event.index, leaf.error().detail));
            return;
        }
        if (auto ok = check_canonical(*leaf, event.leaf); !ok) {
            finding(fmt::format("event {}: {}", event.index, ok.error().detail));
        }
        if (tenant_.empty()) tenant_ = leaf->tenant;
        if (leaf->tenant != tenant_) {
            finding(fmt::format("event {}: of another tenant", event.index));
        }
        for (const auto& cause : leaf->causes) {
            if (cause.id == leaf->id) finding(fmt::format("event {}: its own cause", event.index));
            awaited_.try_emplace(std::string(cause.id), event.index);
        }
        if (const auto it = awaited_.find(leaf->id); it != awaited_.end()) {
            if (it->second < event.index) {
                finding(fmt::format("event {}: its cause stands after it", it->second));
            }
        }
        if (!ids_.insert(0, leaf->id)) {
            finding(fmt::format("event {}: id {} a second time", event.index, leaf->id));
        }
        check_call(event.index, *leaf);
        check_place(event.index, *leaf, hash);
    }

  private:
    void check_call(std::uint64_t index, const Leaf& leaf) {
        const std::string key = fmt::format("{}/{}", leaf.call, leaf.attempt);
        if (leaf.type == "call.decided" && !leaf.call.empty()) {
            permits_[key] = leaf.text("kind") == "permit";
        }
        if (leaf.type != "call.ended") return;
        const auto it = permits_.find(key);
        if (it != permits_.end() && !it->second) {
            finding(fmt::format("event {}: the call ended without a permit", index));
        }
    }

    // Findings 6 and 8, event by event.
    void check_place(std::uint64_t index, const Leaf& leaf, const Sha256& hash) {
        const auto [it, fresh] = chains_.try_emplace(std::string(leaf.chain));
        Chain& chain = it->second;
        if (fresh) {
            chain.session = leaf.chain == leaf.session && !leaf.session.empty();
            chain.started = leaf.type == "session.started";
            chain.first = leaf.chain_seq;
            chain.first_index = index;
        } else if (leaf.chain_seq < chain.next) {
            finding(fmt::format("event {}: its chain goes back", index));
        } else if (leaf.chain_seq > chain.next) {
            chain.hole = true;
        } else if (!leaf.prev || *leaf.prev != chain.prev) {
            finding(fmt::format("event {}: does not link to the event before", index));
        }
        if (chain.sealed) finding(fmt::format("event {}: stands after its session's seal", index));
        if ((leaf.chain_seq == 0) == leaf.prev.has_value()) {
            finding(fmt::format("event {}: `chain.prev` does not fit", index));
        }
        ++chain.events;
        chain.next = leaf.chain_seq + 1;
        chain.prev = hash;
        const bool decided = leaf.type == "call.decided";
        chain.calls += decided ? 1 : 0;
        chain.denied += decided && leaf.text("kind") == "forbid" ? 1 : 0;
        if (leaf.type != "session.sealed") return;
        chain.sealed = true;
        if (chain.first != 0 || chain.hole) return;
        const auto is = [&](std::string_view member, std::uint64_t value) {
            return leaf.number(member) == static_cast<std::int64_t>(value);
        };
        if (!is("events", chain.events) || !is("calls", chain.calls) ||
            !is("denied", chain.denied)) {
            finding(fmt::format("event {}: the seal's counts are not the chain's", index));
        }
    }

  public:
    // Findings 7 and 8.
    void check_chains(const std::vector<BundleChain>& chains) {
        std::map<std::string_view, const BundleChain*> declared;
        for (const auto& chain : chains) declared[chain.uid] = &chain;
        for (const auto& [uid, chain] : chains_) {
            const auto it = declared.find(uid);
            if (it == declared.end() || it->second->events != chain.events) {
                finding(fmt::format("`chains` does not say what is here of {}", uid));
                continue;
            }
            const bool whole = chain.first == 0 && !chain.hole &&
                               (!chain.session || (chain.started && chain.sealed));
            if (it->second->whole && !whole) {
                finding(fmt::format("chain {} is said to be whole and is not", uid));
            } else if (it->second->whole) {
                report_.whole.push_back(inert(uid, 128));
            } else {
                report_.parts.push_back(
                    inert(fmt::format("{}: {} events, numbers {} to {}{}", uid, chain.events,
                                      chain.first, chain.next - 1, chain.hole ? " with holes" : ""),
                          256));
            }
            declared.erase(it);
        }
        for (const auto& [uid, chain] : declared) {
            finding(fmt::format("`chains` names {}, of which nothing is here", uid));
        }
    }

  private:
    const Bundle& bundle_;
    BundleReport& report_;
    ledger::NoteVerifier key_;
    ledger::CheckpointBody checkpoint_;
    std::string tenant_;
    Fingerprints ids_;
    std::map<std::string, std::uint64_t, std::less<>> awaited_;  // cause → who named it first
    std::map<std::string, bool> permits_;
    std::map<std::string, Chain> chains_;
};

BundleCheck::BundleCheck(const Bundle& head, std::string_view vkey,
                         const std::vector<std::string>& witnesses, std::size_t quorum)
    : checker_(std::make_unique<BundleChecker>(head, report_)) {
    report_.about = head.about;
    usable_ = checker_->check_key(vkey) && checker_->check_checkpoint(witnesses, quorum);
}
BundleCheck::~BundleCheck() = default;

void BundleCheck::event(const BundleEvent& event) {
    ++report_.events;
    if (usable_) checker_->check_event(event);
}

BundleReport BundleCheck::finish(const std::vector<BundleChain>& chains) {
    if (usable_) checker_->check_chains(chains);
    return std::move(report_);
}

BundleReport check_bundle(std::string_view text, std::string_view vkey,
                          const std::vector<std::string>& witnesses, std::size_t quorum) {
    BundleReport report;
    const auto bundle = parse_bundle(text);
    if (!bundle) {
        report.findings.push_back(inert(bundle.error().message(), 512));
        return report;
    }
    BundleCheck check(*bundle, vkey, witnesses, quorum);
    for (const auto& event : bundle->events) check.event(event);
    return check.finish(bundle->chains);
}

namespace {

std::optional<json::Value> find_receipt(const json::Value& value, int depth) {
    if (!value.is_object() || depth > 4) return std::nullopt;
    if (const auto own = value.find("dev.writ/receipt"); own && own->is_object()) return own;
    for (const auto name : {"_meta", "result", "error", "data", "params"}) {
        const auto inner = value.find(name);
        if (!inner) continue;
        if (auto found = find_receipt(*inner, depth + 1)) return found;
    }
    return std::nullopt;
}

}  // namespace

Result<ReceiptClaim> parse_receipt(std::string_view text) {
    const auto document = json::parse(text, {8 << 20, 64});
    if (!document) return fail(document.error().in("receipt"));
    const auto value = find_receipt(document->root(), 0).value_or(document->root());
    const auto index = value.is_object() ? value.i64("index") : std::nullopt;
    const auto leaf = value.is_object() ? value.string("leaf") : std::nullopt;
    if (!index || *index < 0 || !leaf || !digest_from_text(*leaf)) {
        return fail(ErrorCode::kInvalid,
                    "no receipt here: an object with `origin`, `index` and `leaf`, as answers "
                    "carry it in `_meta` under `dev.writ/receipt`");
    }
    return ReceiptClaim{std::string(value.string("origin").value_or("")), std::string(*leaf),
                        std::string(value.string("event").value_or("")),
                        static_cast<std::uint64_t>(*index)};
}

std::vector<std::string> check_receipt(const ledger::LogReader& log, const ReceiptClaim& claim) {
    std::vector<std::string> out;
    const auto& checkpoint = log.checkpoint();
    if (!claim.origin.empty() && claim.origin != checkpoint.origin) {
        return {fmt::format("the receipt is of the log {}", inert(claim.origin, 256))};
    }
    if (claim.index >= checkpoint.size) {
        return {
            fmt::format("the receipt is for entry {}, this log has {}: it was cut, or is an "
                        "older copy",
                        claim.index, checkpoint.size)};
    }
    const auto bytes = log.entry(claim.index);
    if (!bytes) return {bytes.error().message()};
    if (digest_text(leaf_hash(*bytes)) != claim.leaf) {
        out.push_back(fmt::format("entry {} is not the event of the receipt", claim.index));
    }
    if (const auto proven = log.proof(claim.index); !proven) {
        out.push_back(proven.error().message());
    }
    const auto leaf = read_leaf(*bytes);
    if (!claim.event.empty() && (!leaf || leaf->id != claim.event)) {
        out.push_back(fmt::format("entry {} is not event {}", claim.index, inert(claim.event, 64)));
    }
    return out;
}

}  // namespace writ::evidence

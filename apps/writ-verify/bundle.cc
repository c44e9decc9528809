// Verifies an evidence bundle (docs/spec/evidence/bundle.md): one file, nothing else needed.
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <set>

#include "events.h"
#include "verify.h"

namespace writ::verify {
namespace {

namespace sj = simdjson;
using Element = sj::dom::element;
constexpr std::size_t kMaxBundleBytes = 256 << 20;
constexpr std::size_t kMaxPath = 63;

std::string hex_text(const Hash& hash) {
    return "sha256:" + to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// An event that outlives the reader's buffers.
struct Kept {
    explicit Kept(const Event& e)
        : id(e.id),
          type(e.type),
          tenant(e.tenant),
          session(e.session),
          chain(e.chain),
          prev(e.prev),
          call(std::string(e.call) + "/" + std::to_string(e.attempt)),
          chain_seq(e.chain_seq),
          causes(e.causes.begin(), e.causes.end()) {}
    Kept() = default;
    std::string id, type, tenant, session, chain, prev, call;
    std::int64_t chain_seq = -1;
    std::vector<std::string> causes;
};

struct Item {
    std::uint64_t index = 0;
    std::string leaf;
    Hash hash{};
    Kept event;
    std::string kind;                                   // of a call.decided
    std::int64_t events = -1, calls = -1, denied = -1;  // of a seal
};

struct Claimed {
    bool whole = false;
    std::uint64_t events = 0;
};

class BundleCheck {
  public:
    BundleCheck(const Options& options, Report& report) : options_(options), report_(report) {}

    void run(const Element& root) {
        if (!has_exactly(root,
                         {"schema", "about", "log", "witnesses", "checkpoint", "events", "chains"}))
            return report_.finding("the bundle's members are not those of version 1");
        if (text(root, "schema") != "writ.evidence-bundle/1")
            return report_.finding("the bundle is of an unknown version");
        std::string why;
        checkpoint_ = parse_checkpoint(text(root, "checkpoint"), why);
        if (!checkpoint_) return report_.finding("the checkpoint is unreadable: " + why);
        if (!check_log(root) || !check_witnesses(root)) return;
        sj::dom::array events;
        if (root["events"].get(events) != sj::SUCCESS || events.size() == 0)
            return report_.finding("the bundle holds no events");
        items_.reserve(events.size());
        for (const Element& event : events)
            if (!take_event(event)) return;
        if (options_.events) check_events(root);
    }

  private:
    static std::string text(const Element& object, const char* name) {
        std::string_view out;
        return object[name].get(out) == sj::SUCCESS ? std::string(out) : std::string();
    }
    static bool has_exactly(const Element& element, std::set<std::string_view> names) {
        sj::dom::object object;
        if (element.get(object) != sj::SUCCESS) return false;
        for (const auto& field : object)
            if (names.erase(field.key) == 0) return false;
        return names.empty();
    }

    bool check_log(const Element& root) {
        Element log;
        if (root["log"].get(log) != sj::SUCCESS ||
            !has_exactly(log, {"origin", "vkey", "fingerprint"})) {
            report_.finding("`log` is not {origin, vkey, fingerprint}");
            return false;
        }
        const auto own = parse_key(text(log, "vkey"));
        if (!own || own->witness) {
            report_.finding("`log.vkey` is not a log key");
            return false;
        }
        if (text(log, "fingerprint") != own->fingerprint())
            report_.finding("the fingerprint is not that of the log's key");
        if (text(log, "origin") != own->name)
            report_.finding("`log.origin` is not the name of the log's key");
        std::optional<Key> key = options_.trust.log;
        if (!key && options_.trust.policy)
            for (const Key& listed : options_.trust.policy->logs)
                if (listed.name == own->name) key = listed;
        const bool listed = options_.trust.policy && !options_.trust.policy->logs.empty();
        if (!key && listed) {
            report_.finding("the policy does not list the log `" + shown(own->name) + "`");
            return false;
        }
        report_.self_declared = !key;
        if (key && (key->key != own->key || key->name != own->name))
            report_.finding("the bundle's log key is not the one that is trusted");
        return check_checkpoint(*checkpoint_, key ? *key : *own, options_.trust, report_);
    }

    bool check_witnesses(const Element& root) {
        sj::dom::array witnesses;
        if (root["witnesses"].get(witnesses) != sj::SUCCESS) {
            report_.finding("`witnesses` is not a list");
            return false;
        }
        for (const Element& witness : witnesses) {
            const auto key = parse_key(text(witness, "vkey"));
            if (!has_exactly(witness, {"name", "vkey", "fingerprint"}) || !key || !key->witness ||
                text(witness, "fingerprint") != key->fingerprint()) {
                report_.finding("a witness is not {name, vkey, fingerprint} of one key");
                continue;
            }
            if (signed_by(*checkpoint_, *key) == Signed::kWrong)
                report_.finding("the cosignature of `" + shown(key->name) + "` does not verify");
            else if (signed_by(*checkpoint_, *key) == Signed::kYes && !options_.trust.policy)
                report_.notes.push_back("cosigned by `" + shown(key->name) +
                                        "`, self-declared key " + key->fingerprint());
        }
        return true;
    }

    bool take_event(const Element& element) {
        Item item;
        std::string_view leaf;
        sj::dom::array proof;
        if (!has_exactly(element, {"index", "leaf", "proof"}) ||
            element["index"].get(item.index) != sj::SUCCESS ||
            element["leaf"].get(leaf) != sj::SUCCESS ||
            element["proof"].get(proof) != sj::SUCCESS) {
            report_.finding("an event is not {index, leaf, proof}");
            return false;
        }
        if (!items_.empty() && item.index <= items_.back().index)
            report_.finding("event " + std::to_string(item.index) + " is out of order");
        std::vector<Hash> path;
        for (const Element& line : proof) {
            std::string_view line_text;
            const auto hash =
                line.get(line_text) == sj::SUCCESS ? hash_from_base64(line_text) : std::nullopt;
            if (!hash || path.size() == kMaxPath) {
                report_.finding("event " + std::to_string(item.index) + ": its proof is malformed");
                return false;
            }
            path.push_back(*hash);
        }
        item.leaf = leaf;
        item.hash = leaf_hash(leaf);
        if (!proves_inclusion(item.index, checkpoint_->size, item.hash, path, checkpoint_->root))
            report_.finding("event " + std::to_string(item.index) + " is not in the log");
        ++report_.entries;
        items_.push_back(std::move(item));
        return true;
    }

    void finding(const Item& item, const std::string& what) {
        report_.finding("event " + std::to_string(item.index) + ": " + shown(what, 512));
    }

    void check_events(const Element& root) {
        std::set<std::string> ids;
        for (Item& item : items_) {
            const std::size_t size = item.leaf.size();
            item.leaf.resize(size + sj::SIMDJSON_PADDING * 4);  // what the reader may touch
            const std::string_view leaf = std::string_view(item.leaf).substr(0, size);
            Event event;
            if (const auto wrong = reader_.read(leaf, item.leaf.size(), event); !wrong.empty()) {
                finding(item, std::string(wrong));
                continue;
            }
            item.event = Kept(event);
            if (!ids.insert(item.event.id).second) finding(item, "its id occurs a second time");
            if (item.event.tenant != items_.front().event.tenant)
                finding(item, "it is another tenant's than the first");
            if (item.event.type == "call.decided") item.kind = reader_.text(event, "kind");
            if (item.event.type == "session.sealed") {
                item.events = reader_.number(event, "events");
                item.calls = reader_.number(event, "calls");
                item.denied = reader_.number(event, "denied");
            }
            chains_[item.event.chain].push_back(&item);
        }
        check_order();
        check_chains(root);
    }

    // Causes point backwards; a call ends only after it was permitted.
    void check_order() {
        std::map<std::string_view, const Item*> by_id;
        std::map<std::string, const Item*> decided;
        for (const Item& item : items_) by_id.emplace(item.event.id, &item);
        for (const Item& item : items_) {
            for (const auto& cause : item.event.causes) {
                const auto found = by_id.find(cause);
                if (found != by_id.end() && found->second->index >= item.index)
                    finding(item, "its cause is not an earlier event");
            }
            const std::string& call = item.event.call;
            if (item.event.type == "call.decided") decided[call] = &item;
            if (item.event.type != "call.ended") continue;
            const auto found = decided.find(call);
            if (found != decided.end() && found->second->kind != "permit")
                finding(item, "a call ended that was not permitted");
        }
    }

    void check_chains(const Element& root) {
        std::map<std::string, Claimed> claimed;
        sj::dom::array chains;
        if (root["chains"].get(chains) != sj::SUCCESS)
            return report_.finding("`chains` is not a list");
        for (const Element& chain : chains) {
            Claimed claim;
            if (!has_exactly(chain, {"uid", "whole", "events"}) ||
                chain["whole"].get(claim.whole) != sj::SUCCESS ||
                chain["events"].get(claim.events) != sj::SUCCESS ||
                !claimed.emplace(text(chain, "uid"), claim).second)
                return report_.finding("a chain is not {uid, whole, events}");
        }
        if (claimed.size() != chains_.size())
            report_.finding("`chains` does not list exactly the chains of the events");
        for (const auto& [uid, items] : chains_) {
            const auto claim = claimed.find(uid);
            if (claim == claimed.end() || claim->second.events != items.size()) {
                report_.finding("`chains` does not count the events of chain " + shown(uid));
                continue;
            }
            check_chain(uid, items, claim->second.whole);
        }
    }

    void check_chain(const std::string& uid, const std::vector<Item*>& items, bool whole) {
        const bool session = items.front()->event.session == uid;
        report_.sessions += session ? 1 : 0;
        std::int64_t calls = 0;
        std::int64_t denied = 0;
        bool hole = items.front()->event.chain_seq != 0;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const Kept& event = items[i]->event;
            calls += event.type == "call.decided" ? 1 : 0;
            denied += items[i]->kind == "forbid" ? 1 : 0;
            if (i == 0) continue;
            const Item& before = *items[i - 1];
            if (event.chain_seq <= before.event.chain_seq)
                finding(*items[i], "its chain is not in order");
            else if (event.chain_seq > before.event.chain_seq + 1)
                hole = true;
            else if (event.prev != hex_text(before.hash))
                finding(*items[i], "it does not link to the event before in its chain");
        }
        const Item& last = *items.back();
        const bool sealed = last.event.type == "session.sealed";
        if (!whole) {
            report_.open_sessions += session && !sealed ? 1 : 0;
            report_.notes.push_back("part of chain " + shown(uid) + ": " +
                                    std::to_string(items.size()) + " events");
            return;
        }
        if (hole) return report_.finding("chain " + shown(uid) + " is said to be whole and is not");
        if (!session) return;
        if (items.front()->event.type != "session.started" || !sealed)
            report_.finding("session " + shown(uid) +
                            " is said to be whole and lacks its start or its seal");
        else if (last.events != static_cast<std::int64_t>(items.size()) || last.calls != calls ||
                 last.denied != denied)
            finding(last, "the seal does not count the session's events");
    }

    const Options& options_;
    Report& report_;
    EventReader reader_;
    std::optional<Checkpoint> checkpoint_;
    std::vector<Item> items_;  // never moved once chains_ points into it
    std::map<std::string, std::vector<Item*>> chains_;
};

}  // namespace

std::optional<Report> verify_bundle(const std::filesystem::path& file, const Options& options,
                                    std::string& why) {
    const auto bytes = read_whole(file, kMaxBundleBytes, why);
    if (!bytes) return std::nullopt;
    sj::dom::parser parser;
    Element root;
    if (parser.parse(*bytes).get(root) != sj::SUCCESS) {
        why = "`" + file.string() + "` is not a JSON document";
        return std::nullopt;
    }
    Report report;
    report.kind = "bundle";
    BundleCheck(options, report).run(root);
    return report;
}

}  // namespace writ::verify

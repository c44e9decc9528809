#include "events.h"

#include <algorithm>

namespace writ::verify {
namespace {

constexpr std::size_t kMaxBreaks = 1000;

// Whether `text` is `sha256:` and the digits of `hash`.
bool names_hash(std::string_view text, const Hash& hash) {
    constexpr char kHex[] = "0123456789abcdef";
    constexpr std::string_view kPrefix = "sha256:";
    if (text.size() != kPrefix.size() + 2 * hash.size() || !text.starts_with(kPrefix)) return false;
    bool same = true;
    for (std::size_t i = 0; i < hash.size(); ++i) {
        same &= text[kPrefix.size() + 2 * i] == kHex[hash[i] >> 4];
        same &= text[kPrefix.size() + 2 * i + 1] == kHex[hash[i] & 15];
    }
    return same;
}

// Whether each number of [from, to] lies in one of `declared`.
bool covered(std::uint64_t from, std::uint64_t to,
             std::vector<std::pair<std::uint64_t, std::uint64_t>> declared) {
    std::sort(declared.begin(), declared.end());
    for (const auto& [low, high] : declared) {
        if (low > from) return false;
        if (high >= to) return true;
        from = std::max(from, high + 1);
    }
    return false;
}

}  // namespace

std::string shown(std::string_view text, std::size_t max_bytes) {
    std::string out;
    for (const char c : text.substr(0, max_bytes)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
            continue;
        }
        constexpr char kHex[] = "0123456789abcdef";
        out += "\\x";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return text.size() > max_bytes ? out + "..." : out;
}

void EventCheck::finding(std::uint64_t index, std::string what) {
    report_.finding("event " + std::to_string(index) + ": " + shown(what, 512));
}

void EventCheck::feed(std::uint64_t index, std::string_view leaf, std::size_t readable,
                      const Hash& hash) {
    Event event;
    if (const auto wrong = reader_.read(leaf, readable, event); !wrong.empty())
        return finding(index, std::string(wrong));
    if (tenant_.empty()) tenant_ = event.tenant;
    if (event.tenant != tenant_)
        finding(index,
                "tenant `" + std::string(event.tenant) + "` in the log of `" + tenant_ + "`");
    key_.assign(event.emitter).append("#").append(event.boot);
    check_emitter(index, event);
    check_chain(index, event, hash);
}

void EventCheck::check_emitter(std::uint64_t index, const Event& event) {
    if (emitter_ == nullptr || emitter_key_ != key_) {
        emitter_ = &emitters_[key_];
        emitter_key_ = key_;
    }
    Emitter& emitter = *emitter_;
    const auto seq = static_cast<std::uint64_t>(event.seq);
    if (!emitter.begun && !from_start_) emitter.next = seq;
    emitter.begun = true;
    if (seq > emitter.next) emitter.holes.emplace_back(emitter.next, seq - 1);
    if (seq < emitter.next)
        finding(index, "sequence number " + std::to_string(seq) + " of " + key_ + " comes after " +
                           std::to_string(emitter.next - 1));
    emitter.next = std::max(emitter.next, seq + 1);
    emitter.at = index;
    if (event.type != "evidence.gap") return;
    ++report_.gaps;
    if (reader_.text(event, "why") != "lost") return;
    const std::int64_t from = reader_.number(event, "from");
    const std::int64_t to = reader_.number(event, "to");
    if (from < 0 || from > to || reader_.number(event, "n") != to - from + 1)
        finding(index, "evidence.gap does not add up");
    else
        emitter.declared.emplace_back(static_cast<std::uint64_t>(from),
                                      static_cast<std::uint64_t>(to));
}

void EventCheck::check_chain(std::uint64_t index, const Event& event, const Hash& hash) {
    const bool of_session = !event.session.empty() && event.chain == event.session;
    const auto uid = [&event] { return std::string(event.chain); };
    if (!of_session && event.chain != key_)
        return finding(index, "chain `" + uid() + "` is neither its session's nor its emitter's");
    const std::uint64_t mark = std::hash<std::string_view>()(event.chain);
    if (of_session && sealed_.contains(mark))
        return finding(index, "chain of session " + uid() + " goes on after its seal");
    auto it = chains_.find(event.chain);
    const bool first = it == chains_.end();
    if (first) it = chains_.try_emplace(uid()).first;
    Chain& chain = it->second;
    const auto seq = static_cast<std::uint64_t>(event.chain_seq);
    if (first) {
        chain.session = of_session;
        report_.sessions += of_session ? 1 : 0;
        if (!from_start_ && seq > 0) {  // it began in what is pruned
            chain.whole = false;
            chain.next = seq;
        } else if (of_session && event.type != "session.started") {
            finding(index, "chain of session " + uid() + " does not begin with session.started");
        }
    }
    const bool taken_up = first && !chain.whole;
    if (seq < chain.next) {
        finding(index, "chain " + uid() + " number " + std::to_string(seq) + " comes after " +
                           std::to_string(chain.next - 1));
    } else if (!taken_up && (seq > chain.next || (seq == 0) != event.prev.empty() ||
                             (seq > 0 && !names_hash(event.prev, chain.prev)))) {
        if (breaks_.size() < kMaxBreaks)
            breaks_.push_back({index,
                               "chain " + uid() + " does not link: number " + std::to_string(seq) +
                                   " after " + std::to_string(chain.next) + " events",
                               key_, static_cast<std::uint64_t>(event.seq)});
        else
            finding(index, "chain " + uid() + " does not link");
    }
    chain.next = std::max(chain.next, seq + 1);
    chain.prev = hash;
    ++chain.seen;
    check_call(index, event, chain);
    if (event.type != "session.sealed") return;
    check_seal(index, event, chain);
    if (!chain.session) return;
    sealed_.insert(mark);
    chains_.erase(it);
}

void EventCheck::check_seal(std::uint64_t index, const Event& event, const Chain& chain) {
    if (!chain.session) return finding(index, "session.sealed outside its session's chain");
    const auto is = [&](std::string_view name, std::uint64_t value) {
        return reader_.number(event, name) == static_cast<std::int64_t>(value);
    };
    const std::string session(event.session);
    if (!is("events", chain.next))
        finding(index, "seal of session " + session + " does not count the chain's " +
                           std::to_string(chain.next) + " events");
    const bool counted = chain.whole && chain.seen == chain.next;
    if (counted && (!is("calls", chain.calls) || !is("denied", chain.denied)))
        finding(index, "seal of session " + session + " does not count the chain's " +
                           std::to_string(chain.calls) + " calls and " +
                           std::to_string(chain.denied) + " denials");
}

void EventCheck::check_call(std::uint64_t index, const Event& event, Chain& chain) {
    const bool decided = event.type == "call.decided";
    if (!decided && event.type != "call.ended") return;
    if (event.call.empty()) return finding(index, std::string(event.type) + " without a call");
    call_.assign(event.call).append("/").append(std::to_string(event.attempt));
    const std::string& call = call_;
    const auto it = std::find(chain.permitted.begin(), chain.permitted.end(), call);
    if (decided) {
        ++chain.calls;
        const std::string kind = reader_.text(event, "kind");
        chain.denied += kind == "forbid" ? 1 : 0;
        if (kind != "permit") return;
        if (it != chain.permitted.end()) finding(index, "call " + call + " is permitted twice");
        chain.permitted.push_back(call);
    } else if (it != chain.permitted.end()) {
        chain.permitted.erase(it);
    } else if (chain.session && chain.whole) {  // one after the seal stands in another chain
        finding(index, "call " + call + " ended without a decision that permits it");
    }
}

void EventCheck::finish() {
    for (const auto& [name, emitter] : emitters_)
        for (const auto& [from, to] : emitter.holes)
            if (!covered(from, to, emitter.declared))
                finding(emitter.at, "emitter " + name + ": sequence numbers " +
                                        std::to_string(from) + " to " + std::to_string(to) +
                                        " are missing");
    for (const Break& broken : breaks_) {
        const auto& declared = emitters_[broken.emitter].declared;
        if (std::none_of(declared.begin(), declared.end(),
                         [&](const auto& range) { return range.first < broken.before; }))
            finding(broken.index, broken.what);
    }
    for (const auto& [uid, chain] : chains_) report_.open_sessions += chain.session ? 1 : 0;
}

}  // namespace writ::verify

// The canonical writer. Members stand in the order of their names, so no sorting happens: adding
// one means finding its place. Node keeps the members of data sorted.
#include "evidence/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/limits.h"
#include "crypto/hash.h"
#include "json/value.h"

namespace writ::evidence {

namespace {

// Nesting of data. What Writ builds is a handful deep; deeper values are cut.
constexpr int kMaxDataDepth = 24;
constexpr std::string_view kCut = "…";

// Writes members and elements with their commas.
class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}
    Writer& open(char bracket) {
        out_ += bracket;
        first_ = true;
        return *this;
    }
    Writer& close(char bracket) {
        out_ += bracket;
        first_ = false;
        return *this;
    }
    Writer& comma() {
        if (!first_) out_ += ',';
        first_ = false;
        return *this;
    }
    Writer& key(std::string_view name) {
        comma();
        json::append_string(out_, name);
        out_ += ':';
        return *this;
    }
    Writer& text(std::string_view value) {
        json::append_string(out_, value);
        return *this;
    }
    // A number that the restricted form cannot hold is written as text.
    Writer& number(std::int64_t value) {
        const bool fits = value >= -kMaxJsonInteger && value <= kMaxJsonInteger;
        if (!fits) out_ += '"';
        fmt::format_to(std::back_inserter(out_), "{}", value);
        if (!fits) out_ += '"';
        return *this;
    }
    Writer& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
    Writer& member(std::string_view name, std::string_view value) { return key(name).text(value); }
    Writer& clipped(std::string_view name, std::string_view value) {
        return key(name).text(shortened(value, kMaxEnvelopeText));
    }
    Writer& verbatim(std::string_view json) {
        out_ += json;
        return *this;
    }

  private:
    std::string& out_;
    bool first_ = true;
};

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string percent_encoded(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 || c == '%') {
            fmt::format_to(std::back_inserter(out), "%{:02X}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

void write(Writer& out, const json::Node& node, int depth);
void write(Writer& out, const json::Value& value, int depth);

// One name beyond ASCII and all of the object are encoded, so that two different names stay
// different.
template <class V>
void write_members(Writer& out, std::map<std::string, V, std::less<>> members, int depth) {
    if (!std::ranges::all_of(members, [](const auto& m) { return is_ascii(m.first); })) {
        std::map<std::string, V, std::less<>> encoded;
        for (auto& [name, value] : members) encoded.emplace(percent_encoded(name), value);
        members = std::move(encoded);
    }
    out.open('{');
    for (const auto& [name, value] : members) write(out.key(name), value, depth + 1);
    out.close('}');
}

void write(Writer& out, const json::Value& value, int depth) {
    if (depth > kMaxDataDepth) {
        out.text(kCut);
    } else if (value.is_object()) {
        std::map<std::string, json::Value, std::less<>> members;
        for (const auto& m : value.members()) members.emplace(m.key, m.value);
        write_members(out, std::move(members), depth);
    } else if (value.is_array()) {
        out.open('[');
        for (const auto& element : value.elements()) write(out.comma(), element, depth + 1);
        out.close(']');
    } else if (value.is_string()) {
        out.text(*value.as_string());
    } else if (value.is_number()) {
        if (const auto integer = value.as_i64()) {
            out.number(*integer);
        } else {
            out.text(value.raw());
        }
    } else {
        out.verbatim(value.raw());
    }
}

// Booleans, floating-point numbers and embedded JSON: Node only shows their text.
void write_opaque(Writer& out, const json::Node& node, int depth) {
    const std::string text = node.dump();
    if (text == "true" || text == "false") {
        out.verbatim(text);
        return;
    }
    const auto parsed = json::parse(text);
    if (parsed) {
        write(out, parsed->root(), depth);
    } else {
        out.text(text);
    }
}

void write(Writer& out, const json::Node& node, int depth) {
    if (depth > kMaxDataDepth) {
        out.text(kCut);
    } else if (const auto* object = node.if_object()) {
        // OPTIMIZATION: the usual object is written in place; std::map's order is RFC 8785's for
        // ASCII names.
        if (std::ranges::all_of(*object, [](const auto& m) { return is_ascii(m.first); })) {
            out.open('{');
            for (const auto& [name, value] : *object) write(out.key(name), value, depth + 1);
            out.close('}');
        } else {
            write_members(out, *object, depth);
        }
    } else if (const auto* array = node.if_array()) {
        out.open('[');
        for (const auto& element : *array) write(out.comma(), element, depth + 1);
        out.close(']');
    } else if (const auto* string = node.if_string()) {
        out.text(*string);
    } else if (const auto* integer = node.if_i64()) {
        out.number(*integer);
    } else if (node.is_null()) {
        out.verbatim("null");
    } else {
        write_opaque(out, node, depth);
    }
}

void write_actor(Writer& out, const Actor& actor) {
    out.open('{');
    if (!actor.agent.empty()) {
        out.key("agent").open('{');
        if (digest_from_text(actor.charter)) out.member("charter", actor.charter);
        out.clipped("id", actor.agent);
        if (!actor.agent_instance.empty()) out.clipped("instance", actor.agent_instance);
        out.close('}');
    }
    if (actor.credential) {
        const auto& credential = *actor.credential;
        out.key("credential").open('{');
        if (!credential.cnf.empty()) out.clipped("cnf", credential.cnf);
        if (credential.exp != 0) out.key("exp").number(credential.exp);
        if (credential.iat != 0) out.key("iat").number(credential.iat);
        out.member("kind", credential.kind).clipped("uid", credential.uid).close('}');
    }
    if (!actor.on_behalf_of.empty()) {
        out.key("for").open('[');
        const std::size_t n = std::min(actor.on_behalf_of.size(), kMaxBehalf);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& behalf = actor.on_behalf_of[i];
            out.comma().open('{').member("kind", behalf.kind).clipped("sub", behalf.sub).close('}');
        }
        out.close(']');
    }
    // An event always has an actor; without another one it is Writ itself.
    const bool nobody = actor.agent.empty() && !actor.credential && actor.on_behalf_of.empty();
    if (!actor.op.empty() || nobody) {
        out.clipped("operator", actor.op.empty() ? std::string_view("writ") : actor.op);
    }
    out.close('}');
}

void write_causes(Writer& out, const std::vector<Cause>& causes) {
    out.open('[');
    const std::size_t n = std::min(causes.size(), kMaxCauses);
    for (std::size_t i = 0; i < n; ++i) {
        const auto& cause = causes[i];
        out.comma().open('{').member("basis", name(cause.basis)).member("id", cause.id.text());
        out.member("rel", cause.rel).close('}');
    }
    out.close(']');
}

void write_payloads(Writer& out, const std::vector<StoredPayload>& payloads) {
    out.open('[');
    for (const auto& payload : payloads) {
        out.comma().open('{');
        if (!payload.ref.cid.empty()) out.member("cid", payload.ref.cid);
        if (!payload.ref.com.empty()) {
            out.member("com", payload.ref.com).member("kid", payload.ref.kid);
        }
        out.key("len").number(payload.ref.bytes);
        out.clipped("mt", payload.media_type);
        if (payload.redactions > 0) {
            out.key("redaction").open('{').key("n").number(payload.redactions);
            out.clipped("profile", payload.redaction_profile).close('}');
        }
        out.member("role", payload.role).member("state", payload.state).close('}');
    }
    out.close(']');
}

void write_trace(Writer& out, const Trace& trace) {
    out.open('{');
    if (!trace.peer.empty()) out.clipped("peer", trace.peer);
    out.member("span_id", trace.span_id).member("trace_id", trace.trace_id).close('}');
}

std::string write_event(const Draft& draft, const json::Node& data, const Place& place,
                        const std::vector<StoredPayload>& payloads) {
    std::string text;
    text.reserve(2048);
    Writer out(text);
    out.open('{').key("actor");
    write_actor(out, draft.actor);
    if (draft.call) out.key("attempt").number(std::max<std::int64_t>(draft.attempt, 1));
    out.member("basis", name(draft.basis));
    if (draft.call) out.member("call", draft.call->text());
    if (!draft.cause.empty()) write_causes(out.key("cause"), draft.cause);
    out.key("chain").open('{');
    if (place.prev != nullptr) out.member("prev", digest_text(*place.prev));
    out.key("seq").number(place.chain_seq).member("uid", place.chain).close('}');
    if (const auto* object = data.if_object(); object != nullptr && !object->empty()) {
        write(out.key("data"), data, 0);
    }
    out.key("emitter").open('{').member("boot", place.boot).member("id", place.emitter);
    out.key("seq").number(place.seq).close('}');
    out.member("id", place.id.text());
    if (!payloads.empty()) write_payloads(out.key("payloads"), payloads);
    if (draft.session) out.member("session", draft.session->text());
    out.key("t_us").number(place.t_us);
    if (draft.task) out.member("task", draft.task->text());
    out.member("tenant", place.tenant);
    if (draft.trace) write_trace(out.key("trace"), *draft.trace);
    out.member("type", draft.type).member("v", "writ.evidence/1").close('}');
    return text;
}

// `node` with strings of at most `bytes_max` and arrays of at most `items_max`; counts what it cut.
json::Node shorter(const json::Node& node, std::size_t bytes_max, std::size_t items_max,
                   std::int64_t& cut) {
    if (const auto* object = node.if_object()) {
        json::Node out = json::Node::object();
        for (const auto& [name, value] : *object) {
            out[name] = shorter(value, bytes_max, items_max, cut);
        }
        return out;
    }
    if (const auto* array = node.if_array()) {
        json::Node out = json::Node::array();
        const std::size_t n = std::min(array->size(), items_max);
        if (n < array->size()) ++cut;
        for (std::size_t i = 0; i < n; ++i) {
            out.push_back(shorter((*array)[i], bytes_max, items_max, cut));
        }
        return out;
    }
    if (const auto* string = node.if_string(); string != nullptr && string->size() > bytes_max) {
        ++cut;
        return shortened(*string, bytes_max);
    }
    return node;
}

}  // namespace

std::string shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    std::size_t end = bytes_max - kCut.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end)).append(kCut);
}

Sha256 leaf_hash(std::string_view leaf) {
    constexpr std::array<std::uint8_t, 1> kLeafPrefix = {0};
    return crypto::sha256(kLeafPrefix, as_bytes(leaf));
}

Result<std::string> encode(const Draft& draft, const Place& place,
                           const std::vector<StoredPayload>& payloads) {
    std::string leaf = write_event(draft, draft.data, place, payloads);
    if (leaf.size() <= kMaxEventBytes) return leaf;
    // Digests (71 bytes) and ids are shorter than the shortest string kept: they stay whole.
    constexpr std::pair<std::size_t, std::size_t> kTries[] = {
        {1024, 64}, {256, 16}, {96, 8}, {80, 3}};
    for (const auto& [bytes_max, items_max] : kTries) {
        std::int64_t cut = 0;
        json::Node data = shorter(draft.data, bytes_max, items_max, cut);
        if (cut == 0) continue;
        data["truncated"] = cut;
        leaf = write_event(draft, data, place, payloads);
        if (leaf.size() <= kMaxEventBytes) return leaf;
    }
    return fail(ErrorCode::kTooLarge,
                fmt::format("event `{}` has {} bytes even when shortened, limit {}", draft.type,
                            leaf.size(), kMaxEventBytes));
}

}  // namespace writ::evidence

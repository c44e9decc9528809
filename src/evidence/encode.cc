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
#include "json/writer.h"

namespace writ::evidence {

namespace {

// Nesting of data. What Writ builds is a handful deep; deeper values are cut.
constexpr int kMaxDataDepth = 24;
constexpr std::string_view kCut = "…";
constexpr std::array<std::uint8_t, 1> kLeafPrefix = {0};  // RFC 6962 section 2.1

using json::Writer;

// Text of foreign origin in the envelope.
template <std::size_t N>
Writer& clipped(Writer& out, const char (&name)[N], std::string_view value) {
    if (value.size() <= kMaxEnvelopeText) return out.member(name, value);
    return out.member(name, shortened(value, kMaxEnvelopeText));
}

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
template <class Members>
void write_members(Writer& out, const Members& members, int depth) {
    out.open('{');
    if (std::ranges::all_of(members, [](const auto& m) { return is_ascii(m.first); })) {
        for (const auto& [name, value] : members) write(out.key(name), value, depth + 1);
    } else {
        std::map<std::string, decltype(&members.begin()->second)> encoded;
        for (const auto& [name, value] : members) encoded.emplace(percent_encoded(name), &value);
        for (const auto& [name, value] : encoded) write(out.key(name), *value, depth + 1);
    }
    out.close('}');
}

void write(Writer& out, const json::Value& value, int depth) {
    if (depth > kMaxDataDepth) {
        out.text(kCut);
    } else if (value.is_object()) {
        std::map<std::string, json::Value, std::less<>> members;
        for (const auto& m : value.members()) members.emplace(m.key, m.value);
        write_members(out, members, depth);
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

// Floating-point numbers and embedded JSON: Node only shows their text.
void write_opaque(Writer& out, const json::Node& node, int depth) {
    const std::string text = node.dump();
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
        write_members(out, *object, depth);
    } else if (const auto* array = node.if_array()) {
        out.open('[');
        for (const auto& element : *array) write(out.comma(), element, depth + 1);
        out.close(']');
    } else if (const auto* string = node.if_string()) {
        out.text(*string);
    } else if (const auto* integer = node.if_i64()) {
        out.number(*integer);
    } else if (const auto* flag = node.if_bool()) {
        out.verbatim(*flag ? "true" : "false");
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
        clipped(out, "id", actor.agent);
        if (!actor.agent_instance.empty()) clipped(out, "instance", actor.agent_instance);
        out.close('}');
    }
    if (actor.credential) {
        const auto& credential = *actor.credential;
        out.key("credential").open('{');
        if (!credential.cnf.empty()) clipped(out, "cnf", credential.cnf);
        if (credential.exp != 0) out.key("exp").number(credential.exp);
        if (credential.iat != 0) out.key("iat").number(credential.iat);
        clipped(out.member("kind", credential.kind), "uid", credential.uid).close('}');
    }
    if (!actor.on_behalf_of.empty()) {
        out.key("for").open('[');
        const std::size_t n = std::min(actor.on_behalf_of.size(), kMaxBehalf);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& behalf = actor.on_behalf_of[i];
            out.comma().open('{').member("kind", behalf.kind);
            clipped(out, "sub", behalf.sub).close('}');
        }
        out.close(']');
    }
    // An event always has an actor; without another one it is Writ itself.
    const bool nobody = actor.agent.empty() && !actor.credential && actor.on_behalf_of.empty();
    if (!actor.op.empty() || nobody) {
        clipped(out, "operator", actor.op.empty() ? std::string_view("writ") : actor.op);
    }
    out.close('}');
}

void write_causes(Writer& out, const std::vector<Cause>& causes) {
    out.open('[');
    const std::size_t n = std::min(causes.size(), kMaxCauses);
    for (std::size_t i = 0; i < n; ++i) {
        const auto& cause = causes[i];
        out.comma().open('{').member("basis", name(cause.basis)).member("id", cause.id);
        out.member("rel", cause.rel).close('}');
    }
    out.close(']');
}

void write_payloads(Writer& out, std::span<const StoredPayload> payloads) {
    out.open('[');
    for (const auto& payload : payloads) {
        out.comma().open('{');
        if (!payload.ref.cid.empty()) out.member("cid", payload.ref.cid);
        if (!payload.ref.com.empty()) {
            out.member("com", payload.ref.com).member("kid", payload.ref.kid);
        }
        out.key("len").number(payload.ref.bytes);
        clipped(out, "mt", payload.media_type);
        if (payload.redactions > 0) {
            out.key("redaction").open('{').key("n").number(payload.redactions);
            clipped(out, "profile", payload.redaction_profile).close('}');
        }
        out.member("role", payload.role).member("state", payload.state).close('}');
    }
    out.close(']');
}

void write_trace(Writer& out, const Trace& trace) {
    out.open('{');
    if (!trace.peer.empty()) clipped(out, "peer", trace.peer);
    out.key("span_id").hex(trace.span_id).key("trace_id").hex(trace.trace_id).close('}');
}

// `data_text` is `data` already written, or empty.
std::string write_event(const Draft& draft, std::string_view data_text, const json::Node& data,
                        const Place& place, std::span<const StoredPayload> payloads) {
    // OPTIMIZATION: room for all of it and little more. To grow is to write it twice.
    constexpr std::size_t kEnvelope = 1152, kUsualData = 1024;
    const std::size_t data_bytes = data_text.empty() ? kUsualData : data_text.size();
    Writer out(draft.actor.text().size() + data_bytes + kEnvelope);
    out.open('{').key("actor").verbatim(draft.actor.text());
    if (draft.call) out.key("attempt").number(std::max<std::int64_t>(draft.attempt, 1));
    out.member("basis", name(draft.basis));
    if (draft.call) out.member("call", *draft.call);
    if (!draft.cause.empty()) write_causes(out.key("cause"), draft.cause);
    out.key("chain").open('{');
    if (place.prev != nullptr) out.member("prev", *place.prev);
    out.key("seq").number(place.chain_seq).member("uid", place.chain).close('}');
    if (!data_text.empty()) {
        out.key("data").verbatim(data_text);
    } else if (const auto* object = data.if_object(); object != nullptr && !object->empty()) {
        write(out.key("data"), data, 0);
    }
    out.key("emitter").open('{').member("boot", place.boot).member("id", place.emitter);
    out.key("seq").number(place.seq).close('}');
    out.member("id", place.id);
    if (!payloads.empty()) write_payloads(out.key("payloads"), payloads);
    if (draft.session) out.member("session", *draft.session);
    out.key("t_us").number(place.t_us);
    if (draft.task) out.member("task", *draft.task);
    out.member("tenant", place.tenant);
    if (draft.trace) write_trace(out.key("trace"), *draft.trace);
    return out.member("type", draft.type).member("v", "writ.evidence/1").close('}').take();
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

std::string actor_text(const Actor& actor) {
    Writer out(1024);
    write_actor(out, actor);
    return out.take();
}

crypto::HashedBeginning leaf_opening(std::string_view actor_text) {
    Writer out(actor_text.size() + 16);
    const std::string opening = out.open('{').key("actor").verbatim(actor_text).take();
    return {kLeafPrefix, as_bytes(opening)};
}

Sha256 leaf_hash(std::string_view leaf) {
    return crypto::sha256(kLeafPrefix, as_bytes(leaf));
}

Result<std::string> encode(const Draft& draft, const Place& place,
                           std::span<const StoredPayload> payloads) {
    std::string leaf = write_event(draft, draft.data_text, draft.data, place, payloads);
    if (leaf.size() <= kMaxEventBytes) return leaf;
    json::Node whole = draft.data;
    if (!draft.data_text.empty()) {
        const auto parsed = json::parse(draft.data_text);
        if (!parsed) return fail(parsed.error().in("data"));
        whole = json::Node::from(parsed->root());
    }
    // Digests (71 bytes) and ids are shorter than the shortest string kept: they stay whole.
    constexpr std::pair<std::size_t, std::size_t> kTries[] = {
        {1024, 64}, {256, 16}, {96, 8}, {80, 3}};
    for (const auto& [bytes_max, items_max] : kTries) {
        std::int64_t cut = 0;
        json::Node data = shorter(whole, bytes_max, items_max, cut);
        if (cut == 0) continue;
        data["truncated"] = cut;
        leaf = write_event(draft, {}, data, place, payloads);
        if (leaf.size() <= kMaxEventBytes) return leaf;
    }
    return fail(ErrorCode::kTooLarge,
                fmt::format("event `{}` has {} bytes even when shortened, limit {}", draft.type,
                            leaf.size(), kMaxEventBytes));
}

}  // namespace writ::evidence

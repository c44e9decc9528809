// Every member by name, nothing else.
#include "evidence/bundle_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace writ::evidence {

namespace {

// A path in a tree of 2^63 leaves.
constexpr std::size_t kMaxProofHashes = 63;
constexpr std::size_t kMaxWitnesses = 64;

Error wrong(std::string_view where) {
    return {ErrorCode::kInvalid, fmt::format("bundle: `{}` is missing or malformed", where)};
}

// An object with exactly `names`.
Status exactly(const json::Value& value, std::string_view where,
               std::initializer_list<std::string_view> names) {
    if (!value.is_object()) return fail(wrong(where));
    for (const auto& member : value.members()) {
        if (std::ranges::find(names, member.key) == names.end()) {
            return fail(ErrorCode::kInvalid, fmt::format("bundle: unknown member in `{}`", where));
        }
    }
    if (value.size() != names.size()) return fail(wrong(where));
    return {};
}

Result<std::string> text(const json::Value& value, std::string_view name) {
    const auto out = value.string(name);
    if (!out) return fail(wrong(name));
    return std::string(*out);
}

Result<std::uint64_t> count(const json::Value& value, std::string_view name) {
    const auto out = value.i64(name);
    if (!out || *out < 0) return fail(wrong(name));
    return static_cast<std::uint64_t>(*out);
}

Result<BundleKey> key(const json::Value& value, std::string_view where, std::string_view name) {
    if (auto ok = exactly(value, where, {name, "vkey", "fingerprint"}); !ok) {
        return fail(ok.error());
    }
    const auto called = text(value, name), vkey = text(value, "vkey");
    const auto fingerprint = text(value, "fingerprint");
    if (!called || !vkey || !fingerprint) return fail(wrong(where));
    return BundleKey{*called, *vkey, *fingerprint};
}

Result<BundleEvent> event(const json::Value& value) {
    if (auto ok = exactly(value, "events", {"index", "leaf", "proof"}); !ok) {
        return fail(ok.error());
    }
    const auto index = count(value, "index");
    auto leaf = text(value, "leaf");
    const auto proof = value.find("proof");
    if (!index || !leaf || !proof || !proof->is_array() || proof->size() > kMaxProofHashes) {
        return fail(wrong("events"));
    }
    BundleEvent out{*index, std::move(*leaf), {}};
    for (const auto& entry : proof->elements()) {
        const auto bytes = from_base64(entry.as_string().value_or("!"));
        if (!bytes || bytes->size() != 32) return fail(wrong("proof"));
        std::ranges::copy(*bytes, out.proof.emplace_back().begin());
    }
    return out;
}

Status read_events(const json::Value& root, Bundle& out) {
    const auto list = root.find("events");
    if (!list || !list->is_array() || list->size() == 0) return fail(wrong("events"));
    if (list->size() > kMaxBundleEvents) {
        return fail(ErrorCode::kTooLarge, "bundle: too many events");
    }
    for (const auto& entry : list->elements()) {
        auto read = event(entry);
        if (!read) return fail(read.error());
        if (!out.events.empty() && out.events.back().index >= read->index) {
            return fail(ErrorCode::kInvalid,
                        fmt::format("bundle: event {} does not stand in order", read->index));
        }
        out.events.push_back(std::move(*read));
    }
    return {};
}

Status read_chains(const json::Value& root, Bundle& out) {
    const auto list = root.find("chains");
    if (!list || !list->is_array()) return fail(wrong("chains"));
    for (const auto& entry : list->elements()) {
        if (auto ok = exactly(entry, "chains", {"uid", "whole", "events"}); !ok) return ok;
        const auto uid = text(entry, "uid");
        const auto whole = entry.boolean("whole");
        const auto events = count(entry, "events");
        if (!uid || !whole || !events) return fail(wrong("chains"));
        if (!out.chains.empty() && out.chains.back().uid >= *uid) return fail(wrong("chains"));
        out.chains.push_back({*uid, *whole, *events});
    }
    return {};
}

Status read_head(const json::Value& root, Bundle& out) {
    const auto about = root.find("about"), log = root.find("log"), seen = root.find("witnesses");
    if (!about || !log || !seen || !seen->is_array()) return fail(wrong("about"));
    if (auto ok = exactly(*about, "about", {"id", "kind", "made_us"}); !ok) return ok;
    const auto id = text(*about, "id"), kind = text(*about, "kind");
    const auto made = count(*about, "made_us");
    if (!id || !kind || !made) return fail(wrong("about"));
    out.about = {*id, *kind, static_cast<std::int64_t>(*made)};
    auto own = key(*log, "log", "origin");
    if (!own) return fail(own.error());
    out.log = std::move(*own);
    if (seen->size() > kMaxWitnesses) return fail(wrong("witnesses"));
    for (const auto& entry : seen->elements()) {
        auto one = key(entry, "witnesses", "name");
        if (!one) return fail(one.error());
        out.witnesses.push_back(std::move(*one));
    }
    return {};
}

}  // namespace

Result<BundleEvent> parse_bundle_event(std::string_view text) {
    const auto document = json::parse(text, {kMaxBundleBytes, 8});
    if (!document) return fail(document.error().in("bundle"));
    return event(document->root());
}

Result<Bundle> parse_bundle(std::string_view bytes) {
    const auto document = json::parse(bytes, {kMaxBundleBytes, 8});
    if (!document) return fail(document.error().in("bundle"));
    const auto root = document->root();
    if (root.is_object() && root.string("schema").value_or("") != "writ.evidence-bundle/1") {
        return fail(ErrorCode::kInvalid, "bundle: `schema` is not writ.evidence-bundle/1");
    }
    if (auto ok =
            exactly(root, "bundle",
                    {"schema", "about", "log", "witnesses", "checkpoint", "events", "chains"});
        !ok) {
        return fail(ok.error());
    }
    Bundle out;
    if (auto ok = read_head(root, out); !ok) return fail(ok.error());
    auto checkpoint = text(root, "checkpoint");
    if (!checkpoint) return fail(checkpoint.error());
    out.checkpoint = std::move(*checkpoint);
    if (auto ok = read_events(root, out); !ok) return fail(ok.error());
    if (auto ok = read_chains(root, out); !ok) return fail(ok.error());
    return out;
}

}  // namespace writ::evidence

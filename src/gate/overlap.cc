#include "gate/overlap.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace writ::gate {

namespace {

constexpr std::array<std::string_view, 32> kPlaceWords = {
    "url",     "urls",  "uri",       "uris",    "iri",      "href",        "link",    "links",
    "host",    "hosts", "hostname",  "domain",  "endpoint", "server",      "address", "addr",
    "ip",      "port",  "origin",    "webhook", "callback", "proxy",       "remote",  "site",
    "website", "email", "recipient", "to",      "target",   "destination", "bucket",  "ref"};

constexpr std::array<std::string_view, 4> kPlainTypes = {"string", "integer", "number", "boolean"};

// `sourceUrl`, `source_url`, `source-url` → is one of the words a place?
bool names_place(std::string_view name) {
    std::string word;
    const auto is_place = [&word] {
        return std::ranges::find(kPlaceWords, word) != kPlaceWords.end();
    };
    char before = '\0';
    for (const char c : name) {
        const auto u = static_cast<unsigned char>(c);
        const bool border = std::isalnum(u) == 0;
        const bool hump =
            std::isupper(u) != 0 && std::islower(static_cast<unsigned char>(before)) != 0;
        if (border || hump) {
            if (is_place()) return true;
            word.clear();
        }
        if (!border) word += static_cast<char>(std::tolower(u));
        before = c;
    }
    return is_place();
}

bool harmless(const json::Value& schema, int depth);

// `properties` names every argument, and nothing else may come.
bool harmless_object(const json::Value& schema, int depth) {
    for (const json::Member& member : schema.members()) {
        static constexpr std::array<std::string_view, 8> kKnown = {
            "type",  "properties",  "required", "additionalProperties",
            "title", "description", "$schema",  "default"};
        if (std::ranges::find(kKnown, member.key) == kKnown.end()) return false;
    }
    const auto properties = schema.find("properties");
    if (!properties)
        return schema.find("additionalProperties") &&
               schema.boolean("additionalProperties") == false;
    if (!properties->is_object()) return false;
    return std::ranges::all_of(properties->members(), [depth](const json::Member& member) {
        return !names_place(member.key) && harmless(member.value, depth + 1);
    });
}

bool harmless(const json::Value& schema, int depth) {
    constexpr int kDepth_max = 8;
    if (!schema.is_object() || depth > kDepth_max) return false;
    const auto type = schema.string("type");
    if (!type) return false;
    if (*type == "object") return harmless_object(schema, depth);
    for (const json::Member& member : schema.members()) {
        static constexpr std::array<std::string_view, 9> kOpen = {
            "$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "not", "if", "then", "else"};
        if (std::ranges::find(kOpen, member.key) != kOpen.end()) return false;
    }
    if (*type == "array") {
        const auto items = schema.find("items");
        return items && harmless(*items, depth + 1);
    }
    if (std::ranges::find(kPlainTypes, *type) == kPlainTypes.end()) return false;
    const auto format = schema.string("format");
    static constexpr std::array<std::string_view, 5> kFormats = {"date", "date-time", "time",
                                                                 "uuid", "duration"};
    return !schema.find("format") ||
           (format && std::ranges::find(kFormats, *format) != kFormats.end());
}

// `scheme:`, `//host`, `\\host`, `user@host`, `www.`
bool looks_like_place(std::string_view text) {
    if (text.starts_with("//") || text.starts_with("\\\\") || text.starts_with("www.")) return true;
    if (text.find("://") != std::string_view::npos) return true;
    if (text.find('@') != std::string_view::npos) return true;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon < 2) return false;
    return std::ranges::all_of(text.substr(0, colon), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
    });
}

}  // namespace

bool may_overlap(const catalog::Tool& tool) {
    if (tool.changed || tool.effect != catalog::Effect::kRead ||
        tool.rule.effect != catalog::Effect::kRead)
        return false;
    const auto scheme = tool.rule.resource.find("://");
    if (scheme != std::string::npos && !tool.rule.resource.starts_with("file://")) return false;
    const auto schema = json::parse(tool.input_schema);
    return schema && schema->root().string("type") == "object" && harmless(schema->root(), 0);
}

bool names_a_place(const json::Value& arguments) {
    if (const auto text = arguments.as_string()) return looks_like_place(*text);
    if (arguments.is_array()) return std::ranges::any_of(arguments.elements(), names_a_place);
    if (!arguments.is_object()) return false;
    return std::ranges::any_of(arguments.members(), [](const json::Member& member) {
        return names_place(member.key) || names_a_place(member.value);
    });
}

}  // namespace writ::gate

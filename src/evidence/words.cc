#include "evidence/words.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/ids.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kMaxWordBytes = 64;
constexpr std::size_t kMaxDepth = 8;

bool in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           static_cast<unsigned char>(c) >= 0x80;
}

bool is_time(std::string_view key) {
    return key.ends_with("_us") || key.ends_with("_ms");
}

void collect(const json::Value& value, std::set<std::string>& out, std::size_t depth) {
    if (out.size() >= kMaxWords || depth > kMaxDepth) return;
    if (const auto text = value.as_string()) {
        if (!digest_from_text(*text) && !Uuid::parse(*text)) split_words(*text, out);
    } else if (value.is_array()) {
        for (const auto& element : value.elements()) collect(element, out, depth + 1);
    } else if (value.is_object()) {
        // Moments, durations and ages are no words that anybody looks for.
        if (value.string("k").value_or("").ends_with("_us")) return;
        for (const auto& member : value.members()) {
            if (is_time(member.key)) continue;
            collect(member.value, out, depth + 1);
        }
    } else if (value.is_number()) {
        split_words(value.raw(), out);
    }
}

}  // namespace

void split_words(std::string_view text, std::set<std::string>& out) {
    std::size_t at = 0;
    while (at < text.size() && out.size() < kMaxWords) {
        while (at < text.size() && !in_word(text[at])) ++at;
        const std::size_t from = at;
        while (at < text.size() && in_word(text[at])) ++at;
        if (at == from) break;
        std::string word(text.substr(from, std::min(at - from, kMaxWordBytes)));
        for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        out.insert(std::move(word));
    }
}

std::string_view agent_of(const Leaf& leaf) {
    const auto actor = leaf.document->root().find("actor");
    const auto agent = actor ? actor->find("agent") : std::nullopt;
    return agent ? agent->string("id").value_or("") : std::string_view();
}

std::set<std::string> words_of(const Leaf& leaf) {
    std::set<std::string> out;
    if (leaf.data) collect(*leaf.data, out, 0);
    const auto actor = leaf.document->root().find("actor");
    if (actor) collect(*actor, out, 0);
    return out;
}

}  // namespace writ::evidence

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

// Takes words in the order of the text until `take` says that it is enough.
template <class Take>
void each_word(std::string_view text, Take take) {
    std::size_t at = 0;
    while (at < text.size()) {
        while (at < text.size() && !in_word(text[at])) ++at;
        const std::size_t from = at;
        while (at < text.size() && in_word(text[at])) ++at;
        if (at == from) break;
        std::string word(text.substr(from, std::min(at - from, kMaxWordBytes)));
        for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        if (!take(std::move(word))) return;
    }
}

// Hands over each text and number of `value`; `full()`: enough.
template <class Full, class Text>
void collect(const json::Value& value, std::size_t depth, Full full, Text text) {
    if (full() || depth > kMaxDepth) return;
    if (const auto own = value.as_string()) {
        if (!digest_from_text(*own) && !Uuid::parse(*own)) text(*own);
    } else if (value.is_array()) {
        for (const auto& element : value.elements()) collect(element, depth + 1, full, text);
    } else if (value.is_object()) {
        // Moments, durations and ages are no words that anybody looks for.
        if (value.string("k").value_or("").ends_with("_us")) return;
        for (const auto& member : value.members()) {
            if (!is_time(member.key)) collect(member.value, depth + 1, full, text);
        }
    } else if (value.is_number()) {
        text(value.raw());
    }
}

template <class Full, class Text>
void collect_leaf(const Leaf& leaf, Full full, Text text) {
    if (leaf.data) collect(*leaf.data, 0, full, text);
    if (const auto actor = leaf.document->root().find("actor")) collect(*actor, 0, full, text);
}

}  // namespace

void split_words(std::string_view text, std::set<std::string>& out) {
    if (out.size() >= kMaxWords) return;
    each_word(text, [&out](std::string word) {
        out.insert(std::move(word));
        return out.size() < kMaxWords;
    });
}

std::string_view agent_of(const Leaf& leaf) {
    const auto actor = leaf.document->root().find("actor");
    const auto agent = actor ? actor->find("agent") : std::nullopt;
    return agent ? agent->string("id").value_or("") : std::string_view();
}

std::vector<std::string> words_of(const Leaf& leaf) {
    // OPTIMIZATION: a set costs a node a word. With at most kMaxWords words, counted with those
    // that repeat, the limit cuts nothing, and sorting them gives the same.
    std::vector<std::string> out;
    collect_leaf(
        leaf, [&out] { return out.size() > kMaxWords; },
        [&out](std::string_view text) {
            each_word(text, [&out](std::string word) {
                out.push_back(std::move(word));
                return out.size() <= kMaxWords;
            });
        });
    if (out.size() <= kMaxWords) {
        std::ranges::sort(out);
        const auto same = std::ranges::unique(out);
        out.erase(same.begin(), same.end());
        return out;
    }
    std::set<std::string> words;
    collect_leaf(
        leaf, [&words] { return words.size() >= kMaxWords; },
        [&words](std::string_view text) { split_words(text, words); });
    return {words.begin(), words.end()};
}

}  // namespace writ::evidence

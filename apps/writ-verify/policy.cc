// The policy file: one line at a time, names before their use.
#include <algorithm>
#include <charconv>
#include <set>

#include "note.h"

namespace writ::verify {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> out;
    while (true) {
        const auto begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos) return out;
        line.remove_prefix(begin);
        const auto end = std::min(line.find_first_of(" \t"), line.size());
        out.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

struct Reader {
    Policy policy;
    std::set<std::string, std::less<>> keys;
    std::vector<bool> grouped;
    bool quorum_seen = false;

    std::optional<std::size_t> find(std::string_view name) const {
        for (std::size_t i = 0; i < policy.members.size(); ++i)
            if (policy.members[i].name == name) return i;
        return std::nullopt;
    }
    const char* define(Policy::Member member) {
        if (member.name == "none" || find(member.name)) return "the name is taken";
        policy.members.push_back(std::move(member));
        grouped.push_back(false);
        return nullptr;
    }
    const char* take_key(std::string_view vkey, bool witness, std::optional<Key>& out) {
        out = parse_key(vkey);
        if (!out || out->witness != witness) return "not a key of that kind";
        return keys.insert(out->key).second ? nullptr : "the key is listed twice";
    }
    const char* take(const std::vector<std::string_view>& words) {
        std::optional<Key> key;
        if (words[0] == "log" && (words.size() == 2 || words.size() == 3)) {
            if (const char* wrong = take_key(words[1], false, key)) return wrong;
            policy.logs.push_back(*key);
            return nullptr;
        }
        if (words[0] == "witness" && (words.size() == 3 || words.size() == 4)) {
            if (const char* wrong = take_key(words[2], true, key)) return wrong;
            return define({std::string(words[1]), key, 1, {}});
        }
        if (words[0] == "group" && words.size() >= 4) return take_group(words);
        if (words[0] != "quorum" || words.size() != 2) return "not a line of a policy";
        if (quorum_seen) return "a second quorum";
        if (words[1] != "none" && !find(words[1])) return "a name that is not defined before";
        quorum_seen = true;
        policy.quorum = words[1];
        return nullptr;
    }
    const char* take_group(const std::vector<std::string_view>& words) {
        Policy::Member group{std::string(words[1]), std::nullopt, 1, {}};
        for (std::size_t i = 3; i < words.size(); ++i) {
            const auto member = find(words[i]);
            if (!member) return "a name that is not defined before";
            if (grouped[*member]) return "a member of two groups";
            grouped[*member] = true;
            group.members.push_back(*member);
        }
        if (words[2] == "all") {
            group.threshold = group.members.size();
        } else if (words[2] != "any") {
            const char* end = words[2].data() + words[2].size();
            const auto parsed = std::from_chars(words[2].data(), end, group.threshold);
            if (parsed.ec != std::errc() || parsed.ptr != end || words[2].front() == '0' ||
                group.threshold > group.members.size())
                return "a threshold that is not between 1 and the number of members";
        }
        return define(std::move(group));
    }
};

}  // namespace

std::optional<Policy> parse_policy(std::string_view text, std::string& why) {
    Reader reader;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.empty() || words[0].starts_with('#')) continue;
        if (const char* wrong = reader.take(words)) {
            why = "line " + std::to_string(number) + ": " + wrong;
            return std::nullopt;
        }
    }
    if (!reader.quorum_seen) {
        why = "there is no quorum line";
        return std::nullopt;
    }
    return std::move(reader.policy);
}

}  // namespace writ::verify

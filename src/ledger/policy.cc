#include "ledger/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/decimal.h"

namespace writ::ledger {
namespace {

using Words = std::vector<std::string_view>;

Words words_of(std::string_view line) {
    Words out;
    std::size_t at = 0;
    while (at < line.size()) {
        const auto begin = line.find_first_not_of(" \t", at);
        if (begin == std::string_view::npos) break;
        const auto end = std::min(line.find_first_of(" \t", begin), line.size());
        out.push_back(line.substr(begin, end - begin));
        at = end;
    }
    return out;
}

bool is_policy_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || byte == '\n' || (byte >= 0x20 && byte != 0x7f);
    });
}

}  // namespace

// One line at a time; the first error ends it.
class TrustPolicy::Parser {
  public:
    explicit Parser(std::string file) : file_(std::move(file)) {}

    Result<TrustPolicy> run(std::string_view text) {
        while (!text.empty()) {
            ++line_;
            const auto end = text.find('\n');
            if (end == std::string_view::npos) return wrong("the last line has no newline");
            const Words words = words_of(text.substr(0, end));
            text.remove_prefix(end + 1);
            if (words.empty() || words[0].starts_with('#')) continue;
            if (auto done = take(words); !done) return fail(done.error());
        }
        if (!quorum_seen_)
            return wrong("there is no `quorum` line: write `quorum NAME` or `quorum none`");
        return std::move(out_);
    }

  private:
    tl::unexpected<Error> wrong(std::string what) const {
        return fail(ErrorCode::kInvalid, std::move(what), {file_, line_, 0});
    }

    Status take(const Words& words) {
        if (words[0] == "log") return take_log(words);
        if (words[0] == "witness") return take_witness(words);
        if (words[0] == "group") return take_group(words);
        if (words[0] == "quorum") return take_quorum(words);
        return wrong(fmt::format("unknown line `{}`: use log, witness, group or quorum", words[0]));
    }

    Status take_log(const Words& words) {
        if (words.size() != 2 && words.size() != 3) return wrong("write `log VKEY [URL]`");
        auto key = NoteVerifier::parse(words[1]);
        if (!key) return wrong(key.error().detail);
        for (const Log& log : out_.logs_)
            if (log.key.key == key->key) return wrong("this log's key is listed twice");
        if (out_.logs_.size() == kMaxPolicyItems) return wrong("too many logs");
        out_.logs_.push_back({std::move(*key), std::string(words.size() == 3 ? words[2] : "")});
        return {};
    }

    Status take_witness(const Words& words) {
        if (words.size() != 3 && words.size() != 4) return wrong("write `witness NAME VKEY [URL]`");
        auto key = NoteVerifier::parse(words[2], KeyRole::kWitness);
        if (!key) return wrong(key.error().detail);
        for (const Witness& witness : out_.witnesses_)
            if (witness.key.key == key->key) return wrong("this witness's key is listed twice");
        if (auto added = define(words[1], {}); !added) return added;
        out_.witness_items_.push_back(out_.items_.size() - 1);
        out_.witnesses_.push_back({std::string(words[1]), std::move(*key),
                                   std::string(words.size() == 4 ? words[3] : "")});
        return {};
    }

    Status take_group(const Words& words) {
        if (words.size() < 4) return wrong("write `group NAME K|all|any MEMBER…`");
        Item item;
        for (std::size_t i = 3; i < words.size(); ++i) {
            const auto member = find(words[i]);
            if (!member)
                return wrong(fmt::format("`{}` is not defined on a line before", words[i]));
            if (out_.items_[*member].grouped)
                return wrong(fmt::format("`{}` is in a group already", words[i]));
            out_.items_[*member].grouped = true;
            item.members.push_back(*member);
        }
        const std::size_t n = item.members.size();
        if (words[2] == "all") {
            item.threshold = n;
        } else if (words[2] != "any") {
            item.threshold = from_decimal<std::size_t>(words[2]).value_or(0);
            if (item.threshold < 1 || item.threshold > n)
                return wrong(
                    fmt::format("`{}` is not all, any or a number from 1 to {}", words[2], n));
        }
        return define(words[1], std::move(item));
    }

    Status take_quorum(const Words& words) {
        if (words.size() != 2) return wrong("write `quorum NAME` or `quorum none`");
        if (quorum_seen_) return wrong("there are two `quorum` lines");
        quorum_seen_ = true;
        if (words[1] == "none") return {};
        const auto item = find(words[1]);
        if (!item) return wrong(fmt::format("`{}` is not defined on a line before", words[1]));
        out_.quorum_ = words[1];
        out_.quorum_item_ = *item;
        return {};
    }

    Status define(std::string_view name, Item item) {
        if (name == "none" || find(name)) return wrong(fmt::format("the name `{}` is taken", name));
        if (out_.items_.size() == 2 * kMaxPolicyItems) return wrong("too many names");
        item.name = name;
        out_.items_.push_back(std::move(item));
        return {};
    }

    std::optional<std::size_t> find(std::string_view name) const {
        for (std::size_t i = 0; i < out_.items_.size(); ++i)
            if (out_.items_[i].name == name) return i;
        return std::nullopt;
    }

    std::string file_;
    std::uint32_t line_ = 0;
    bool quorum_seen_ = false;
    TrustPolicy out_;
};

Result<TrustPolicy> TrustPolicy::parse(std::string_view text, std::string file) {
    if (text.size() > kMaxPolicyBytes)
        return fail(ErrorCode::kTooLarge, "the policy is too large", {std::move(file), 0, 0});
    if (!is_policy_text(text))
        return fail(ErrorCode::kInvalid, "the policy holds control characters",
                    {std::move(file), 0, 0});
    return Parser(std::move(file)).run(text);
}

Result<TrustPolicy::Verdict> TrustPolicy::judge(
    std::string_view text, const std::vector<NoteSignature>& signatures) const {
    Verdict out;
    std::vector<bool> holds(items_.size(), false);
    for (std::size_t i = 0; i < witnesses_.size(); ++i) {
        const NoteVerifier& key = witnesses_[i].key;
        const auto at = cosigned_at(text, signatures, key);
        if (!at) return fail(at.error());
        if (!*at) continue;
        holds[witness_items_[i]] = true;
        out.cosigned.push_back(witnesses_[i].name);
        out.oldest_s = out.oldest_s == 0 ? **at : std::min(out.oldest_s, **at);
        for (const NoteSignature& signature : signatures) {
            if (signature.name != key.name || signature.id != key.id) continue;
            out.lines.push_back(signature);
            break;
        }
    }
    for (std::size_t i = 0; i < items_.size(); ++i) {  // members come before their group
        if (items_[i].members.empty()) continue;
        const auto have = static_cast<std::size_t>(
            std::count_if(items_[i].members.begin(), items_[i].members.end(),
                          [&](std::size_t member) { return holds[member]; }));
        holds[i] = have >= items_[i].threshold;
    }
    out.quorum = quorum_.empty() || holds[quorum_item_];
    return out;
}

}  // namespace writ::ledger

#include "note.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>

namespace writ::verify {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";

std::optional<std::string_view> take_line(std::string_view& text) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

bool verifies(const Key& key, std::string_view message, std::string_view signature) {
    return signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(bytes(signature), bytes(message), message.size(),
                                       bytes(key.key)) == 0;
}

bool line_verifies(const Key& key, std::string_view text, std::string_view signature) {
    if (!key.witness) return verifies(key, text, signature);
    if (signature.size() != 8 + crypto_sign_BYTES) return false;
    std::uint64_t seconds = 0;
    for (const char c : signature.substr(0, 8))
        seconds = seconds << 8 | static_cast<unsigned char>(c);
    if (seconds >> 63 != 0) return false;
    std::string message = "cosignature/v1\ntime " + std::to_string(seconds) + "\n";
    message += text;
    return verifies(key, message, signature.substr(8));
}

}  // namespace

std::optional<std::string> from_base64(std::string_view text) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    if (text.size() % 4 != 0 ||
        sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                          text.size(), nullptr, &size, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data() + text.size())
        return std::nullopt;
    out.resize(size);
    return out;
}

std::string to_hex(std::string_view text) {
    std::string out(text.size() * 2 + 1, '\0');
    sodium_bin2hex(out.data(), out.size(), bytes(text), text.size());
    out.pop_back();
    return out;
}

std::optional<Hash> hash_from_base64(std::string_view text) {
    const auto raw = from_base64(text);
    if (!raw || raw->size() != 32) return std::nullopt;
    Hash out;
    std::copy(raw->begin(), raw->end(), out.begin());
    return out;
}

std::string Key::fingerprint() const {
    const Hash hash = hash_of(key);
    return "sha256:" + to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

std::optional<Key> parse_key(std::string_view vkey) {
    while (!vkey.empty() && (vkey.back() == '\n' || vkey.back() == ' ')) vkey.remove_suffix(1);
    const auto first = vkey.find('+');
    const auto second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
    if (second == std::string_view::npos || first == 0) return std::nullopt;
    const auto typed = from_base64(vkey.substr(second + 1));
    if (!typed || typed->size() != 33 || ((*typed)[0] != 1 && (*typed)[0] != 4))
        return std::nullopt;
    Key out;
    out.name = vkey.substr(0, first);
    out.witness = (*typed)[0] == 4;
    out.key = typed->substr(1);
    const Hash hash = hash_of(out.name + "\n" + *typed);
    out.id.assign(reinterpret_cast<const char*>(hash.data()), 4);
    if (to_hex(out.id) != vkey.substr(first + 1, second - first - 1)) return std::nullopt;
    return out;
}

std::optional<Checkpoint> parse_checkpoint(std::string_view note, std::string& why) {
    const auto wrong = [&](const char* what) {
        why = what;
        return std::nullopt;
    };
    const auto split = note.rfind("\n\n");
    if (note.size() > kMaxNoteBytes || split == std::string_view::npos)
        return wrong("it is not a signed note");
    if (std::any_of(note.begin(), note.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }))
        return wrong("it holds control characters");
    Checkpoint out;
    out.text = note.substr(0, split + 1);
    std::string_view lines = note.substr(split + 2);
    while (!lines.empty()) {
        const auto line = take_line(lines);
        const auto space = line ? line->rfind(' ') : std::string_view::npos;
        if (!line || !line->starts_with(kDash) || space < kDash.size())
            return wrong("a signature line is malformed");
        const auto blob = from_base64(line->substr(space + 1));
        if (!blob || blob->size() < 5) return wrong("a signature line is malformed");
        out.signatures.push_back({std::string(line->substr(kDash.size(), space - kDash.size())),
                                  blob->substr(0, 4), blob->substr(4)});
    }
    std::string_view text = out.text;
    const auto origin = take_line(text);
    const auto size = take_line(text);
    const auto root = take_line(text);
    if (!origin || origin->empty() || !size || !root) return wrong("it has not three lines");
    const auto parsed = std::from_chars(size->data(), size->data() + size->size(), out.size);
    if (parsed.ec != std::errc() || std::to_string(out.size) != *size)
        return wrong("its size is not a number");
    const auto hash = hash_from_base64(*root);
    if (!hash) return wrong("its root is not a hash");
    out.origin = *origin;
    out.root = *hash;
    return out;
}

Signed signed_by(const Checkpoint& checkpoint, const Key& key) {
    Signed out = Signed::kNo;
    for (const SignatureLine& line : checkpoint.signatures) {
        if (line.name != key.name || line.id != key.id) continue;
        if (!line_verifies(key, checkpoint.text, line.bytes)) return Signed::kWrong;
        out = Signed::kYes;
    }
    return out;
}

Quorum quorum_of(const Checkpoint& checkpoint, const Policy& policy) {
    Quorum out;
    std::vector<bool> holds(policy.members.size(), false);
    out.met = policy.quorum == "none";
    for (std::size_t i = 0; i < policy.members.size(); ++i) {
        const Policy::Member& member = policy.members[i];
        if (member.key) {
            const Signed by = signed_by(checkpoint, *member.key);
            holds[i] = by == Signed::kYes;
            if (by == Signed::kYes) out.cosigned.push_back(member.name);
            if (by == Signed::kWrong) out.wrong.push_back(member.name);
        } else {
            std::size_t have = 0;
            for (const std::size_t m : member.members) have += holds[m] ? 1 : 0;
            holds[i] = have >= member.threshold;
        }
        if (member.name == policy.quorum) out.met = holds[i];
    }
    return out;
}

}  // namespace writ::verify

#include "ledger/note.h"

#include <algorithm>
#include <charconv>

#include "crypto/hash.h"

namespace writ::ledger {
namespace {

constexpr std::uint8_t kEd25519 = 0x01;
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space
// A note of ours is a few hundred bytes; sixteen witnesses with large signatures stay below this.
constexpr std::size_t kMaxNoteBytes = 128 << 10;

Bytes typed_key(const crypto::Ed25519Key::Public& key) {
    Bytes out = {kEd25519};
    out.insert(out.end(), key.begin(), key.end());
    return out;
}

std::array<std::uint8_t, 4> key_id(std::string_view name, ByteView typed) {
    Bytes input(name.begin(), name.end());
    input.push_back('\n');
    input.insert(input.end(), typed.begin(), typed.end());
    const Sha256 digest = crypto::sha256(input);
    return {digest[0], digest[1], digest[2], digest[3]};
}

Error bad(std::string detail) {
    return {ErrorCode::kCorrupt, std::move(detail), {}};
}

// The next line of `text`, which must end in a newline; removes it.
std::optional<std::string_view> take_line(std::string_view& text) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    return line;
}

}  // namespace

bool is_key_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '+';
    });
}

bool is_plain_name(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    };
    return !name.empty() && name.size() <= 128 && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), plain);
}

std::string make_vkey(std::string_view name, const crypto::Ed25519Key::Public& key) {
    const Bytes typed = typed_key(key);
    return std::string(name) + "+" + to_hex(key_id(name, typed)) + "+" + to_base64(typed);
}

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey) {
    const auto wrong = [](const char* what) { return fail(ErrorCode::kInvalid, what); };
    while (!vkey.empty() && (vkey.back() == '\n' || vkey.back() == ' ')) vkey.remove_suffix(1);
    const auto first = vkey.find('+');
    if (first == std::string_view::npos || first == 0)
        return wrong("a log key has the form name+id+key");
    const auto second = vkey.find('+', first + 1);
    if (second == std::string_view::npos) return wrong("a log key has the form name+id+key");
    NoteVerifier out;
    out.name = vkey.substr(0, first);
    const auto id = from_hex(vkey.substr(first + 1, second - first - 1));
    const auto typed = from_base64(vkey.substr(second + 1));
    if (!id || id->size() != 4 || !typed || typed->size() != 33 || (*typed)[0] != kEd25519)
        return wrong("a log key must be Ed25519 (type 1) with an id of 8 hex digits");
    std::copy(id->begin(), id->end(), out.id.begin());
    std::copy(typed->begin() + 1, typed->end(), out.key.begin());
    if (key_id(out.name, *typed) != out.id) return wrong("the log key's id is not that of the key");
    return out;
}

std::string sign_note(std::string_view text, std::string_view name, const crypto::Ed25519Key& key) {
    const auto id = key_id(name, typed_key(key.public_key()));
    const crypto::Signature signature = key.sign(as_bytes(text));
    Bytes blob(id.begin(), id.end());
    blob.insert(blob.end(), signature.begin(), signature.end());
    return std::string(text) + "\n" + std::string(kDash) + std::string(name) + " " +
           to_base64(blob) + "\n";
}

Result<std::string> open_note(std::string_view note, const NoteVerifier& verifier) {
    if (note.size() > kMaxNoteBytes) return fail(bad("the note is too large"));
    const auto split = note.rfind("\n\n");
    if (split == std::string_view::npos) return fail(bad("the note has no signatures"));
    const std::string_view text = note.substr(0, split + 1);
    const bool control = std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\n';
    });
    if (control) return fail(bad("the note holds control characters"));
    std::string_view lines = note.substr(split + 2);
    bool signed_by_log = false;
    while (!lines.empty()) {
        const auto line = take_line(lines);
        if (!line || !line->starts_with(kDash)) return fail(bad("a signature line is malformed"));
        const auto rest = line->substr(kDash.size());
        const auto space = rest.find(' ');
        const auto blob =
            space == std::string_view::npos ? std::nullopt : from_base64(rest.substr(space + 1));
        if (!blob || blob->size() < 5) return fail(bad("a signature line is malformed"));
        if (rest.substr(0, space) != verifier.name ||
            !std::equal(verifier.id.begin(), verifier.id.end(), blob->begin()))
            continue;
        if (!crypto::ed25519_verify(verifier.key, as_bytes(text), ByteView(*blob).subspan(4)))
            return fail(bad("the log's signature does not verify"));
        signed_by_log = true;
    }
    if (!signed_by_log) return fail(bad("the note is not signed by the log's key"));
    return std::string(text);
}

std::string checkpoint_text(std::string_view origin, std::uint64_t size, const Sha256& root) {
    return std::string(origin) + "\n" + std::to_string(size) + "\n" + to_base64(root) + "\n";
}

Result<CheckpointBody> parse_checkpoint(std::string_view text) {
    CheckpointBody out;
    const auto origin = take_line(text);
    const auto size = take_line(text);
    const auto root = take_line(text);
    if (!origin || origin->empty() || !size || !root)
        return fail(bad("the checkpoint is not three lines"));
    out.origin = *origin;
    const auto parsed = std::from_chars(size->data(), size->data() + size->size(), out.size);
    if (parsed.ec != std::errc() || parsed.ptr != size->data() + size->size() ||
        std::to_string(out.size) != *size)
        return fail(bad("the checkpoint's size is not a number"));
    const auto hash = from_base64(*root);
    if (!hash || hash->size() != 32) return fail(bad("the checkpoint's root is not a hash"));
    std::copy(hash->begin(), hash->end(), out.root.begin());
    return out;
}

}  // namespace writ::ledger

#include "ledger/note.h"

#include <algorithm>

#include "base/decimal.h"
#include "crypto/hash.h"

namespace writ::ledger {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space

Bytes typed_key(const crypto::Ed25519Key::Public& key, KeyRole role) {
    Bytes out = {static_cast<std::uint8_t>(role)};
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

std::string make_vkey(std::string_view name, const crypto::Ed25519Key::Public& key, KeyRole role) {
    const Bytes typed = typed_key(key, role);
    return std::string(name) + "+" + to_hex(key_id(name, typed)) + "+" + to_base64(typed);
}

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey, KeyRole role) {
    const auto wrong = [](const char* what) { return fail(ErrorCode::kInvalid, what); };
    while (!vkey.empty() && (vkey.back() == '\n' || vkey.back() == ' ')) vkey.remove_suffix(1);
    const auto first = vkey.find('+');
    if (first == std::string_view::npos || first == 0)
        return wrong("a key has the form name+id+key");
    const auto second = vkey.find('+', first + 1);
    if (second == std::string_view::npos) return wrong("a key has the form name+id+key");
    NoteVerifier out;
    out.name = vkey.substr(0, first);
    const auto id = from_hex(vkey.substr(first + 1, second - first - 1));
    const auto typed = from_base64(vkey.substr(second + 1));
    if (!id || id->size() != 4 || !typed || typed->size() != 33 ||
        (*typed)[0] != static_cast<std::uint8_t>(role))
        return wrong(role == KeyRole::kLog
                         ? "a log key must be Ed25519 (type 1) with an id of 8 hex digits"
                         : "a witness key must be an Ed25519 cosigner's (type 4) with an id of 8 "
                           "hex digits");
    std::copy(id->begin(), id->end(), out.id.begin());
    std::copy(typed->begin() + 1, typed->end(), out.key.begin());
    if (key_id(out.name, *typed) != out.id) return wrong("the key's id is not that of the key");
    return out;
}

namespace {

std::string signature_line(std::string_view name, const std::array<std::uint8_t, 4>& id,
                           ByteView signature) {
    Bytes blob(id.begin(), id.end());
    blob.insert(blob.end(), signature.begin(), signature.end());
    return std::string(kDash) + std::string(name) + " " + to_base64(blob) + "\n";
}

bool is_by(const NoteSignature& signature, const NoteVerifier& verifier) {
    return signature.name == verifier.name && signature.id == verifier.id;
}

std::string cosigned_text(std::string_view text, std::uint64_t time_s) {
    return "cosignature/v1\ntime " + std::to_string(time_s) + "\n" + std::string(text);
}

// Valid UTF-8 without control characters but the newline (signed-note).
bool is_note_text(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto byte = [&](std::size_t at) {
            return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
        };
        const unsigned lead = byte(i);
        if (lead < 0x80) {
            if (lead < 0x20 && lead != '\n') return false;
            ++i;
            continue;
        }
        const unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4) return false;
        for (unsigned k = 1; k <= more; ++k)
            if ((byte(i + k) & 0xc0) != 0x80) return false;
        const unsigned second = byte(i + 1);
        const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
        const bool beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
        if (overlong || beyond) return false;
        i += more + 1;
    }
    return true;
}

}  // namespace

std::string sign_note(std::string_view text, std::string_view name, const crypto::Ed25519Key& key) {
    const auto id = key_id(name, typed_key(key.public_key(), KeyRole::kLog));
    return std::string(text) + "\n" + signature_line(name, id, key.sign(as_bytes(text)));
}

Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines) {
    std::vector<NoteSignature> out;
    while (!lines.empty()) {
        if (out.size() == kMaxSignatures) return fail(corrupt("the note has too many signatures"));
        const auto line = take_line(lines);
        if (!line || !line->starts_with(kDash))
            return fail(corrupt("a signature line is malformed"));
        const auto rest = line->substr(kDash.size());
        const auto space = rest.find(' ');
        const auto blob =
            space == std::string_view::npos ? std::nullopt : from_base64(rest.substr(space + 1));
        if (!blob || blob->size() < 5 || space == 0 ||
            rest.substr(0, space).find('+') != std::string_view::npos)
            return fail(corrupt("a signature line is malformed"));
        NoteSignature signature;
        signature.name = rest.substr(0, space);
        std::copy_n(blob->begin(), 4, signature.id.begin());
        signature.bytes.assign(blob->begin() + 4, blob->end());
        signature.line = std::string(*line) + "\n";
        out.push_back(std::move(signature));
    }
    return out;
}

Result<Note> Note::parse(std::string_view note) {
    if (note.size() > kMaxNoteBytes) return fail(ErrorCode::kTooLarge, "the note is too large");
    const auto split = note.rfind("\n\n");
    if (split == std::string_view::npos) return fail(corrupt("the note has no signatures"));
    if (!is_note_text(note))
        return fail(corrupt("the note holds control characters or is not UTF-8"));
    auto signatures = parse_signatures(note.substr(split + 2));
    if (!signatures) return fail(signatures.error());
    if (signatures->empty()) return fail(corrupt("the note has no signatures"));
    return Note{std::string(note.substr(0, split + 1)), std::move(*signatures)};
}

Result<std::string> open_note(std::string_view note, const NoteVerifier& verifier) {
    auto parsed = Note::parse(note);
    if (!parsed) return fail(corrupt(parsed.error().detail));
    bool signed_by_log = false;
    for (const NoteSignature& signature : parsed->signatures) {
        if (!is_by(signature, verifier)) continue;
        if (!crypto::ed25519_verify(verifier.key, as_bytes(parsed->text), signature.bytes))
            return fail(corrupt("the log's signature does not verify"));
        signed_by_log = true;
    }
    if (!signed_by_log) return fail(corrupt("the note is not signed by the log's key"));
    return std::move(parsed->text);
}

std::string cosign(std::string_view text, std::string_view name, std::int64_t time_s,
                   const crypto::Ed25519Key& key) {
    const auto id = key_id(name, typed_key(key.public_key(), KeyRole::kWitness));
    const auto seconds = static_cast<std::uint64_t>(time_s);
    Bytes blob;
    for (int shift = 56; shift >= 0; shift -= 8)
        blob.push_back(static_cast<std::uint8_t>(seconds >> shift));
    const auto signature = key.sign(as_bytes(cosigned_text(text, seconds)));
    blob.insert(blob.end(), signature.begin(), signature.end());
    return signature_line(name, id, blob);
}

Result<std::optional<std::int64_t>> cosigned_at(std::string_view text,
                                                const std::vector<NoteSignature>& signatures,
                                                const NoteVerifier& witness) {
    constexpr std::size_t kTimeBytes = 8;
    std::optional<std::int64_t> out;
    for (const NoteSignature& signature : signatures) {
        if (!is_by(signature, witness)) continue;
        const auto wrong = [&] {
            return fail(corrupt("the cosignature of `" + witness.name + "` does not verify"));
        };
        if (signature.bytes.size() != kTimeBytes + 64) return wrong();
        std::uint64_t seconds = 0;
        for (std::size_t i = 0; i < kTimeBytes; ++i) seconds = seconds << 8 | signature.bytes[i];
        const auto blob = ByteView(signature.bytes).subspan(kTimeBytes);
        if (seconds >> 63 != 0 ||
            !crypto::ed25519_verify(witness.key, as_bytes(cosigned_text(text, seconds)), blob))
            return wrong();
        if (!out) out = static_cast<std::int64_t>(seconds);
    }
    return out;
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
        return fail(corrupt("the checkpoint is not three lines"));
    out.origin = *origin;
    const auto entries = from_decimal<std::uint64_t>(*size);
    if (!entries) return fail(corrupt("the checkpoint's size is not a number"));
    out.size = *entries;
    const auto hash = from_base64(*root);
    if (!hash || hash->size() != 32) return fail(corrupt("the checkpoint's root is not a hash"));
    std::copy(hash->begin(), hash->end(), out.root.begin());
    return out;
}

}  // namespace writ::ledger

// C2SP signed notes, checkpoints and cosignatures: the text a log signs and its witnesses confirm
// (c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature). Ed25519 keys of type
// 0x01 (logs) and 0x04 (witnesses); lines of other keys are ignored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/sign.h"

namespace writ::ledger {

// Usable as a key's name and a log's origin: printable ASCII without space and `+`.
bool is_key_name(std::string_view name);

// A name that is one component of a path: letters, digits, `-`, `_` and `.`, not first.
bool is_plain_name(std::string_view name);

// What a key signs: checkpoints as their log, or cosignatures as a witness. The value is the type
// byte of its vkey.
enum class KeyRole : std::uint8_t { kLog = 0x01, kWitness = 0x04 };

// Signature lines a note may have. More are refused rather than verified without end.
inline constexpr std::size_t kMaxSignatures = 64;

// `name+hex8(key id)+base64(type || key)`.
std::string make_vkey(std::string_view name, const crypto::Ed25519Key::Public& key,
                      KeyRole role = KeyRole::kLog);

struct NoteVerifier {
    std::string name;
    std::array<std::uint8_t, 4> id{};
    crypto::Ed25519Key::Public key{};
    // Errors: kInvalid (form, an id that is not the key's, another type than `role`'s).
    static Result<NoteVerifier> parse(std::string_view vkey, KeyRole role = KeyRole::kLog);
};

struct NoteSignature {
    std::string name;
    std::array<std::uint8_t, 4> id{};
    Bytes bytes;       // after the id
    std::string line;  // as it stood, with its newline
};

// A note taken apart; nothing is verified yet.
struct Note {
    std::string text;  // what is signed, ending in a newline
    std::vector<NoteSignature> signatures;
    // Errors: kCorrupt (form, control characters, text that is not UTF-8), kTooLarge.
    static Result<Note> parse(std::string_view note);
};
// The signature lines of a witness's answer. Errors: kCorrupt.
Result<std::vector<NoteSignature>> parse_signatures(std::string_view lines);

// A note of ours is a few hundred bytes; sixteen witnesses with large signatures stay below this.
inline constexpr std::size_t kMaxNoteBytes = 128 << 10;

// `text` (ending in a newline) with a blank line and the signature line of `name`.
std::string sign_note(std::string_view text, std::string_view name, const crypto::Ed25519Key& key);

// The text of a note that `verifier`'s key has signed. A line of that key that does not verify
// sinks the note, whatever other lines say. Errors: kCorrupt.
Result<std::string> open_note(std::string_view note, const NoteVerifier& verifier);

// The cosignature line of `name` over a checkpoint's text, made at `time_s` (Unix seconds).
std::string cosign(std::string_view text, std::string_view name, std::int64_t time_s,
                   const crypto::Ed25519Key& key);
// When `witness` says it saw `text`, by the first of `signatures` that is its own and verifies;
// nothing if it has none. Errors: kCorrupt (one of its own does not verify).
Result<std::optional<std::int64_t>> cosigned_at(std::string_view text,
                                                const std::vector<NoteSignature>& signatures,
                                                const NoteVerifier& witness);

// `origin \n size \n base64(root) \n`.
std::string checkpoint_text(std::string_view origin, std::uint64_t size, const Sha256& root);
struct CheckpointBody {
    std::string origin;
    std::uint64_t size = 0;
    Sha256 root{};
};
// Errors: kCorrupt. Sizes are canonical decimals; extension lines are allowed and ignored.
Result<CheckpointBody> parse_checkpoint(std::string_view text);

}  // namespace writ::ledger

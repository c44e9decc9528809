// C2SP signed notes and checkpoints: the text a log signs (c2sp.org/signed-note,
// c2sp.org/tlog-checkpoint). Ed25519 keys of type 0x01 only; lines of other keys are ignored. Inner
// header of the room.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/sign.h"

namespace writ::ledger {

// Usable as a key's name and a log's origin: printable ASCII without space and `+`.
bool is_key_name(std::string_view name);

// A name that is one component of a path: letters, digits, `-`, `_` and `.`, not first.
bool is_plain_name(std::string_view name);

// `name+hex8(key id)+base64(0x01 || key)`.
std::string make_vkey(std::string_view name, const crypto::Ed25519Key::Public& key);

struct NoteVerifier {
    std::string name;
    std::array<std::uint8_t, 4> id{};
    crypto::Ed25519Key::Public key{};
    // Errors: kInvalid (form, an id that is not the key's, another type).
    static Result<NoteVerifier> parse(std::string_view vkey);
};

// `text` (ending in a newline) with a blank line and the signature line of `name`.
std::string sign_note(std::string_view text, std::string_view name, const crypto::Ed25519Key& key);

// The text of a note that `verifier`'s key has signed. A line of that key that does not verify
// sinks the note, whatever other lines say. Errors: kCorrupt.
Result<std::string> open_note(std::string_view note, const NoteVerifier& verifier);

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

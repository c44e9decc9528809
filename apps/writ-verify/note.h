// Signed notes, checkpoints and cosignatures (c2sp.org/signed-note, tlog-checkpoint,
// tlog-cosignature) and whom to believe (c2sp.org/tlog-policy).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tree.h"

namespace writ::verify {

inline constexpr std::size_t kMaxNoteBytes = 128 << 10;

// Decodes RFC 4648 base64 with padding; nothing for any other text.
std::optional<std::string> from_base64(std::string_view text);
std::string to_hex(std::string_view bytes);
std::optional<Hash> hash_from_base64(std::string_view text);

struct Key {
    std::string name;
    std::string id;        // 4 bytes
    std::string key;       // 32 bytes of Ed25519
    bool witness = false;  // type 0x04, else 0x01
    // `sha256:` and the hash of the key's 32 bytes, to be read over the telephone.
    std::string fingerprint() const;
};
// Nothing: not a vkey of a type that is known here, or its id is not the key's.
std::optional<Key> parse_key(std::string_view vkey);

struct SignatureLine {
    std::string name, id, bytes;
};

struct Checkpoint {
    std::string text;  // what is signed
    std::vector<SignatureLine> signatures;
    std::string origin;
    std::uint64_t size = 0;
    Hash root{};
};
// On failure `why` says what is wrong with the form.
std::optional<Checkpoint> parse_checkpoint(std::string_view note, std::string& why);

enum class Signed { kNo, kYes, kWrong };  // kWrong: a line of this key does not verify
Signed signed_by(const Checkpoint& checkpoint, const Key& key);

// The witnesses that count and how many must have cosigned.
struct Policy {
    struct Member {
        std::string name;
        std::optional<Key> key;  // a witness; else a group:
        std::size_t threshold = 1;
        std::vector<std::size_t> members;
    };
    std::vector<Key> logs;
    std::vector<Member> members;
    std::string quorum = "none";
};
std::optional<Policy> parse_policy(std::string_view text, std::string& why);

struct Quorum {
    bool met = false;
    std::vector<std::string> cosigned;
    std::vector<std::string> wrong;  // witnesses whose line does not verify
};
Quorum quorum_of(const Checkpoint& checkpoint, const Policy& policy);

}  // namespace writ::verify

// The words of an event that a search finds: of texts in its data and of who acted, lower case,
// without ids and digests. What is sealed in the vault is not among them. Inner header of the room.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/leaf.h"

namespace writ::evidence {

// More words than an event of 16 KiB has reasons for.
inline constexpr std::size_t kMaxWords = 512;

// ASCII letters and digits and everything beyond ASCII make words; all else parts them. ASCII is
// lowered. Words of over 64 bytes are cut.
void split_words(std::string_view text, std::set<std::string>& out);
// Sorted, each once, at most kMaxWords.
std::vector<std::string> words_of(const Leaf& leaf);
// The agent's SPIFFE id, or empty.
std::string_view agent_of(const Leaf& leaf);

}  // namespace writ::evidence

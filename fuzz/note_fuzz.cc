// Notes, checkpoints and stand-alone proofs: what is accepted has one reading, and the separate
// verifier's own parser reads the same in it.
#include <algorithm>
#include <cstdint>
#include <string>

#include "apps/writ-verify/note.h"
#include "base/check.h"
#include "ledger/note.h"
#include "ledger/proof_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto proof = writ::ledger::ProofFile::parse(text)) {
        const auto again = writ::ledger::ProofFile::parse(proof->text());
        WRIT_CHECK(again.has_value() && again->text() == proof->text());
    }
    const auto note = writ::ledger::Note::parse(text);
    if (!note) return 0;
    std::string lines;
    for (const auto& signature : note->signatures) lines += signature.line;
    WRIT_CHECK(note->text + "\n" + lines == text);
    const auto body = writ::ledger::parse_checkpoint(note->text);
    std::string why;
    const auto other = writ::verify::parse_checkpoint(text, why);
    if (!body) return 0;
    WRIT_CHECK(other.has_value());
    WRIT_CHECK(other->origin == body->origin && other->size == body->size &&
               std::equal(body->root.begin(), body->root.end(), other->root.begin()));
    WRIT_CHECK(other->signatures.size() == note->signatures.size());
    return 0;
}

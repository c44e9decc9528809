#include "ledger/proof_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/decimal.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

constexpr std::string_view kHead = "c2sp.org/tlog-proof@v1";
constexpr std::size_t kMaxProofBytes = 256 << 10;
constexpr std::size_t kMaxPathHashes = 63;

}  // namespace

std::string ProofFile::text() const {
    std::string out = std::string(kHead) + "\n";
    if (!extra.empty()) out += "extra " + to_base64(extra) + "\n";
    out += fmt::format("index {}\n", index);
    for (const Sha256& hash : path) out += to_base64(hash) + "\n";
    return out + "\n" + checkpoint;
}

Result<ProofFile> ProofFile::parse(std::string_view text) {
    if (text.size() > kMaxProofBytes) return fail(ErrorCode::kTooLarge, "the proof is too large");
    const auto cut = text.find("\n\n");
    if (cut == std::string_view::npos) return fail(corrupt("the proof has no checkpoint"));
    ProofFile out;
    out.checkpoint = text.substr(cut + 2);
    std::string_view head = text.substr(0, cut + 1);
    std::vector<std::string_view> lines;
    while (!head.empty()) {
        lines.push_back(head.substr(0, head.find('\n')));
        head.remove_prefix(lines.back().size() + 1);
    }
    std::size_t at = 0;
    if (lines.empty() || lines[at++] != kHead)
        return fail(corrupt("the file is not a tlog-proof of version 1"));
    if (at < lines.size() && lines[at].starts_with("extra ")) {
        auto extra = from_base64(lines[at++].substr(6));
        if (!extra) return fail(corrupt("the proof's extra data is not base64"));
        out.extra = std::move(*extra);
    }
    if (at == lines.size() || !lines[at].starts_with("index "))
        return fail(corrupt("the proof has no index"));
    const auto index = from_decimal<std::uint64_t>(lines[at++].substr(6));
    if (!index) return fail(corrupt("the proof's index is not a number"));
    out.index = *index;
    if (lines.size() - at > kMaxPathHashes) return fail(corrupt("the proof is too long"));
    for (; at < lines.size(); ++at) {
        const auto hash = from_base64(lines[at]);
        if (!hash || hash->size() != 32) return fail(corrupt("the proof holds what is not a hash"));
        std::copy(hash->begin(), hash->end(), out.path.emplace_back().begin());
    }
    return out;
}

Status ProofFile::check(std::string_view entry, const NoteVerifier& log,
                        const TrustPolicy* policy) const {
    const auto opened = open_note(checkpoint, log);
    if (!opened) return fail(opened.error());
    const auto body = parse_checkpoint(*opened);
    if (!body) return fail(body.error());
    if (body->origin != log.name)
        return fail(corrupt("the checkpoint's origin is not the name of the log's key"));
    if (policy != nullptr) {
        const auto note = Note::parse(checkpoint);
        if (!note) return fail(note.error());
        const auto verdict = policy->judge(note->text, note->signatures);
        if (!verdict) return fail(verdict.error());
        if (!verdict->quorum)
            return fail(corrupt(
                fmt::format("the quorum `{}` has not cosigned the checkpoint", policy->quorum())));
    }
    if (!check_inclusion(index, body->size, leaf_hash(as_bytes(entry)), path, body->root))
        return fail(corrupt(fmt::format("the entry is not number {} of the log", index)));
    return {};
}

}  // namespace writ::ledger

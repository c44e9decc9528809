#include "ledger/cosigner.h"

#include <fmt/format.h>

#include <thread>

#include "base/decimal.h"
#include "base/inert.h"
#include "crypto/hash.h"

namespace writ::ledger {
namespace {

std::string url_of(const TrustPolicy::Witness& witness, std::string_view path) {
    const bool slash = witness.url.ends_with('/');
    return witness.url + (slash ? "" : "/") + std::string(path);
}

std::string_view without_newline(std::string_view text) {
    return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
}

}  // namespace

Cosigner::Cosigner(Witnessing witnessing, NoteVerifier log, Prove prove)
    : witnessing_(std::move(witnessing)),
      log_(std::move(log)),
      prove_(std::move(prove)),
      origin_hash_(to_hex(crypto::sha256(log_.name))) {
    for (const auto& witness : witnessing_.policy->witnesses()) {
        Known known;
        known.health.name = witness.name;
        known.health.url = witness.url;
        known_.push_back(std::move(known));
    }
}

void Cosigner::note(std::size_t i, const std::function<void(Known&)>& change) {
    const std::lock_guard lock(mutex_);
    change(known_[i]);
}

Result<WitnessReply> Cosigner::post(std::size_t i, std::uint64_t old_size,
                                    const SignedCheckpoint& checkpoint) const {
    const auto path = prove_(old_size, checkpoint.size);
    if (!path) return fail(path.error());
    std::string body = fmt::format("old {}\n", old_size);
    for (const Sha256& hash : *path) body += to_base64(hash) + "\n";
    body += "\n" + checkpoint.note;
    const auto& witness = witnessing_.policy->witnesses()[i];
    return witnessing_.client->post(url_of(witness, "add-checkpoint"), std::move(body));
}

// What the witness holds of this log, if our own key signed it and it does not fit: a size is only
// a claim, but a signature of ours is proof.
std::optional<Error> Cosigner::contradicted(std::size_t i,
                                            const SignedCheckpoint& checkpoint) const {
    const auto& witness = witnessing_.policy->witnesses()[i];
    const auto reply = witnessing_.client->get(url_of(witness, origin_hash_ + "/checkpoint"));
    if (!reply || reply->status != 200) return std::nullopt;
    const auto text = open_note(reply->body, log_);
    const auto body = text ? parse_checkpoint(*text) : fail(text.error());
    if (!body || body->origin != log_.name) return std::nullopt;
    const bool ahead = body->size > checkpoint.size;
    const bool other = body->size == checkpoint.size && body->root != checkpoint.root;
    if (!ahead && !other) return std::nullopt;
    return Error{ErrorCode::kCorrupt,
                 fmt::format("witness `{}` holds a checkpoint of {} entries that this log has "
                             "signed, and the log has {} {}: it was rolled back or forked; restore "
                             "the newest copy of its data, nothing is signed until then",
                             inert(witness.name, 100), body->size, checkpoint.size,
                             other ? "others" : "only"),
                 {}};
}

Cosigner::Told Cosigner::submit(std::size_t i, const SignedCheckpoint& checkpoint) {
    std::uint64_t old_size = 0;
    {
        const std::lock_guard lock(mutex_);
        old_size = std::min(known_[i].size, checkpoint.size);
    }
    auto reply = post(i, old_size, checkpoint);
    if (reply && reply->status == 409) {
        const auto size = from_decimal<std::uint64_t>(without_newline(reply->body));
        if (size && *size <= checkpoint.size) {
            old_size = *size;
            reply = post(i, old_size, checkpoint);
        }
    }
    Told told;
    std::string trouble;
    if (!reply) {
        trouble = reply.error().message();
    } else if (reply->status != 200) {
        trouble = fmt::format("{}: {}", reply->status, inert(reply->body, 200));
        if (reply->status == 409 || reply->status == 422)
            told.contradiction = contradicted(i, checkpoint);
    } else {
        const auto lines = parse_signatures(reply->body);
        const auto& key = witnessing_.policy->witnesses()[i].key;
        const auto at = lines ? cosigned_at(checkpoint.text, *lines, key) : fail(lines.error());
        if (!at)
            trouble = at.error().message();
        else if (!*at)
            trouble = "the answer holds no cosignature of its key";
        else
            for (const NoteSignature& line : *lines)
                if (line.name == key.name && line.id == key.id) told.lines.push_back(line);
    }
    note(i, [&](Known& known) {
        if (trouble.empty()) known.size = checkpoint.size;
        if (trouble.empty()) known.health.size = checkpoint.size;
        known.health.trouble = trouble;
    });
    return told;
}

Cosigner::Round Cosigner::ask(const SignedCheckpoint& checkpoint) {
    const auto& witnesses = witnessing_.policy->witnesses();
    std::vector<Told> told(witnesses.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < witnesses.size(); ++i)
        if (!witnesses[i].url.empty())
            threads.emplace_back([&, i] { told[i] = submit(i, checkpoint); });
    for (auto& thread : threads) thread.join();
    Round out;
    for (Told& one : told) {
        out.lines.insert(out.lines.end(), one.lines.begin(), one.lines.end());
        if (one.contradiction && !out.contradiction) out.contradiction = one.contradiction;
    }
    return out;
}

std::vector<WitnessHealth> Cosigner::health() const {
    const std::lock_guard lock(mutex_);
    std::vector<WitnessHealth> out;
    for (const Known& known : known_) out.push_back(known.health);
    return out;
}

}  // namespace writ::ledger

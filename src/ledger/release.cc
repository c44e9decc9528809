#include "ledger/release.h"

#include <algorithm>

namespace writ::ledger {

Status Release::write(const SignedCheckpoint& checkpoint, const std::vector<NoteSignature>& lines) {
    // A heartbeat without cosignatures does not take those away that are there.
    if (checkpoint.size < released_ ||
        (checkpoint.size == released_ && lines.size() < released_lines_))
        return {};
    std::string note = checkpoint.note;
    for (const NoteSignature& line : lines) note += line.line;
    if (auto done = file_.write(std::move(note)); !done) return done;
    released_ = checkpoint.size;
    released_lines_ = lines.size();
    return {};
}

Status Release::offer(SignedCheckpoint checkpoint, Now now) {
    const std::lock_guard lock(mutex_);
    newest_ = std::move(checkpoint);
    if (!waits()) return write(*newest_, {});
    if (!missing_since_) missing_since_ = now;
    return {};
}

Status Release::cosigned(const SignedCheckpoint& checkpoint,
                         const std::vector<NoteSignature>& lines, Now now) {
    const auto verdict = witnessing_->policy->judge(checkpoint.text, lines);
    if (!verdict) return fail(verdict.error());
    const std::lock_guard lock(mutex_);
    if (!verdict->quorum) return {};
    if (auto done = write(checkpoint, verdict->lines); !done) return done;
    witnessed_ = checkpoint.size;
    const bool newest = newest_ && newest_->text == checkpoint.text;
    if (newest)
        missing_since_.reset();
    else
        missing_since_ = now;
    return {};
}

void Release::found(std::uint64_t size, std::size_t lines) {
    constexpr std::size_t kOwnLines = 5;  // text, empty line and the log's own signature
    const std::lock_guard lock(mutex_);
    released_ = std::max(released_, size);
    released_lines_ = lines > kOwnLines ? lines - kOwnLines : 0;
}

Status Release::tick(Now now) {
    const std::lock_guard lock(mutex_);
    if (!waits() || !newest_ || !missing_since_ || now - *missing_since_ < grace() ||
        witnessing_->on_missing != OnMissingQuorum::kPublish || newest_->size <= released_)
        return {};
    return write(*newest_, {});
}

std::optional<SignedCheckpoint> Release::newest() const {
    const std::lock_guard lock(mutex_);
    return newest_;
}

std::chrono::milliseconds Release::overdue(Now now) const {
    const std::lock_guard lock(mutex_);
    if (!waits() || !missing_since_ || now - *missing_since_ < grace())
        return std::chrono::milliseconds(0);
    return std::chrono::duration_cast<std::chrono::milliseconds>(now - *missing_since_);
}

std::uint64_t Release::released_size() const {
    const std::lock_guard lock(mutex_);
    return released_;
}

std::uint64_t Release::witnessed_size() const {
    const std::lock_guard lock(mutex_);
    return witnessed_;
}

}  // namespace writ::ledger

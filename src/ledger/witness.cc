#include "ledger/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>

#include "base/decimal.h"
#include "crypto/hash.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxProof = 63;  // lines
constexpr std::size_t kMaxSeenBytes = 128 << 10;

WitnessAnswer answer(int status, std::string body) {
    return {status, "text/plain; charset=utf-8", std::move(body) + "\n"};
}

std::string hash_name(std::string_view origin) {
    return to_hex(crypto::sha256(origin));
}

}  // namespace

struct Witness::Submission {
    std::uint64_t old_size = 0;
    std::vector<Sha256> proof;
    Note note;
    CheckpointBody body;

    static Result<Submission> parse(std::string_view text) {
        const auto bad = [](const char* what) { return fail(ErrorCode::kInvalid, what); };
        Submission out;
        auto end = text.find('\n');
        if (end == std::string_view::npos || !text.starts_with("old "))
            return bad("the first line is not `old SIZE`");
        const auto old_size = from_decimal<std::uint64_t>(text.substr(4, end - 4));
        if (!old_size) return bad("the old size is not a decimal number");
        out.old_size = *old_size;
        text.remove_prefix(end + 1);
        for (end = text.find('\n'); end != 0; end = text.find('\n')) {
            if (end == std::string_view::npos) return bad("there is no checkpoint");
            if (out.proof.size() == kMaxProof) return bad("the proof has more than 63 lines");
            const auto hash = from_base64(text.substr(0, end));
            if (!hash || hash->size() != 32) return bad("a proof line is not the base64 of a hash");
            std::copy(hash->begin(), hash->end(), out.proof.emplace_back().begin());
            text.remove_prefix(end + 1);
        }
        auto note = Note::parse(text.substr(1));
        if (!note) return fail(note.error());
        auto body = parse_checkpoint(note->text);
        if (!body) return fail(body.error());
        out.note = std::move(*note);
        out.body = std::move(*body);
        return out;
    }
};

Result<std::unique_ptr<Witness>> Witness::open(WitnessOptions options, crypto::Ed25519Key key,
                                               const Clock& clock, Disk& disk) {
    if (!is_key_name(options.name))
        return fail(
            ErrorCode::kInvalid,
            "a witness's name is printable, without space and `+`, e.g. `witness.example/w1`");
    if (auto done = make_dirs(disk, options.dir); !done) return fail(done.error());
    auto lock = File::open(options.dir / "lock", O_RDWR | O_CREAT);
    if (!lock) return fail(lock.error());
    if (::flock(lock->fd(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::kConflict,
                    fmt::format("another witness uses `{}`: stop it first", options.dir.string()));
    std::unique_ptr<Witness> out(new Witness(std::move(options), std::move(key), clock, disk));
    out->lock_ = std::move(*lock);
    return out;
}

Result<std::vector<std::string>> Witness::parse_logs(std::string_view text, std::string file) {
    std::vector<std::string> out;
    for (std::uint32_t line = 1; !text.empty(); ++line) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view words = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        words = words.substr(0, words.find('#'));
        while (!words.empty() && (words.front() == ' ' || words.front() == '\t'))
            words.remove_prefix(1);
        while (!words.empty() && std::string_view(" \t\r").find(words.back()) != words.npos)
            words.remove_suffix(1);
        if (words.starts_with("log ")) words.remove_prefix(4);
        if (words.empty()) continue;
        if (const auto key = NoteVerifier::parse(words); !key)
            return fail(ErrorCode::kInvalid, key.error().detail, {std::move(file), line, 0});
        out.emplace_back(words);
    }
    return out;
}

fs::path Witness::file_of(std::string_view origin) const {
    return options_.dir / (hash_name(origin) + ".checkpoint");
}

// The kept checkpoint must carry our own cosignature: only that shows that we wrote it.
Result<std::optional<Witness::State>> Witness::load(const std::string& origin) const {
    const fs::path path = file_of(origin);
    auto text = read_file(path, kMaxSeenBytes);
    if (!text && text.error().code == ErrorCode::kNotFound) return std::nullopt;
    if (!text) return fail(text.error());
    const auto wrong = [&](std::string_view why) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}`: {}; restore it: without it a fork could be confirmed",
                                path.string(), why));
    };
    const auto note = Note::parse(*text);
    const auto body = note ? parse_checkpoint(note->text) : fail(note.error());
    if (!body) return wrong(body.error().detail);
    if (body->origin != origin) return wrong("it is another log's");
    const auto self = NoteVerifier::parse(vkey(), KeyRole::kWitness);
    if (!self) return fail(self.error());
    const auto at = cosigned_at(note->text, note->signatures, *self);
    if (!at || !*at) return wrong("it does not carry this witness's cosignature");
    return State{body->size, body->root, **at, std::move(*text)};
}

Status Witness::set_logs(const std::vector<std::string>& vkeys) {
    if (vkeys.size() > kMaxWitnessedLogs) return fail(ErrorCode::kInvalid, "too many logs");
    const std::lock_guard lock(mutex_);
    std::map<std::string, Log, std::less<>> logs;
    for (const auto& vkey : vkeys) {
        auto key = NoteVerifier::parse(vkey);
        if (!key) return fail(key.error());
        logs[key->name].keys.push_back(std::move(*key));
    }
    std::map<std::string, std::string, std::less<>> names;
    for (auto& [origin, log] : logs) {
        names[hash_name(origin)] = origin;
        if (const auto known = logs_.find(origin); known != logs_.end()) {
            log.state = known->second.state;
            log.bucket = known->second.bucket;
        } else {
            auto state = load(origin);
            if (!state) return fail(state.error());
            log.state = std::move(*state);
            log.bucket = {options_.burst, clock_.boot_us()};
        }
        if (log.state) last_s_ = std::max(last_s_, log.state->time_s);
    }
    logs_ = std::move(logs);
    names_ = std::move(names);
    return {};
}

bool Witness::take_token(Bucket& bucket) const {
    const std::int64_t now = clock_.boot_us();
    const double earned = static_cast<double>(now - bucket.at_us) / 1e6 * options_.per_s;
    bucket.tokens = std::min(options_.burst, bucket.tokens + std::max(0.0, earned));
    bucket.at_us = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
}

WitnessAnswer Witness::add_checkpoint(std::string_view body) {
    if (body.size() > kMaxSubmissionBytes) return answer(413, "the submission is too large");
    const auto submission = Submission::parse(body);
    if (!submission) return answer(400, submission.error().detail);
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(submission->body.origin);
    if (found == logs_.end()) return answer(404, "this witness does not know the log");
    Log& log = found->second;
    bool trusted = false;
    for (const NoteVerifier& key : log.keys)
        for (const NoteSignature& signature : submission->note.signatures)
            trusted = trusted || (signature.name == key.name && signature.id == key.id &&
                                  crypto::ed25519_verify(key.key, as_bytes(submission->note.text),
                                                         signature.bytes));
    if (!trusted) return answer(403, "no signature is by a key of the log that is trusted here");
    if (!take_token(log.bucket)) return answer(429, "too many submissions of this log: wait");
    return judge(*submission, log);
}

// The checks of add-checkpoint, in the specification's order. Under mutex_.
WitnessAnswer Witness::judge(const Submission& submission, Log& log) {
    const CheckpointBody& body = submission.body;
    const std::uint64_t size = log.state ? log.state->size : 0;
    if (submission.old_size > body.size)
        return answer(400, "the old size is larger than the checkpoint");
    if (submission.old_size != size) return {409, "text/x.tlog.size", std::to_string(size) + "\n"};
    const Sha256 root = log.state ? log.state->root : empty_root();
    if (body.size == 0 && body.root != empty_root())
        return answer(422, "the root of an empty log is wrong");
    if (!check_consistency(size, body.size, submission.proof, root, body.root))
        return answer(422, "the checkpoint is not consistent with the one that was cosigned");
    return accept(submission, log);
}

WitnessAnswer Witness::accept(const Submission& submission, Log& log) {
    const CheckpointBody& body = submission.body;
    last_s_ = std::max(last_s_, clock_.now_s());
    const std::string line = cosign(submission.note.text, options_.name, last_s_, key_);
    const bool news = !log.state || log.state->size != body.size;
    State state{body.size, body.root, last_s_, submission.note.text + "\n"};
    for (const NoteSignature& signature : submission.note.signatures)
        if (signature.name == body.origin) state.note += signature.line;
    state.note += line;
    if (news) {
        if (const auto kept = replace_file(disk_, file_of(body.origin), state.note); !kept)
            return answer(503, "the checkpoint could not be kept");
        log.state = std::move(state);
    }
    return {200, "text/plain; charset=utf-8", line};
}

WitnessAnswer Witness::checkpoint(std::string_view origin_hash) const {
    const std::lock_guard lock(mutex_);
    const auto name = names_.find(origin_hash);
    if (name == names_.end()) return answer(404, "this witness does not know the log");
    const Log& log = logs_.find(name->second)->second;
    if (!log.state) return answer(404, "no checkpoint of this log was cosigned yet");
    return {200, "text/plain; charset=utf-8", log.state->note};
}

std::vector<Witness::Seen> Witness::seen() const {
    const std::lock_guard lock(mutex_);
    std::vector<Seen> out;
    for (const auto& [origin, log] : logs_)
        out.push_back({origin, log.state ? log.state->size : 0, log.state ? log.state->time_s : 0});
    return out;
}

}  // namespace writ::ledger

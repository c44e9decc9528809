// The vault: sealing happens on the caller's thread, because the event needs the digest of the
// blob; writing and syncing on a thread of its own.
#include "evidence/vault.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "crypto/hash.h"
#include "evidence/files.h"
#include "evidence/packs.h"
#include "evidence/subject_keys.h"
#include "evidence/vault_keys.h"

namespace writ::evidence {

namespace {

// Sealed blobs waiting for the disk: a second of a busy gateway on a slow disk.
constexpr std::size_t kMaxQueuedBytes = 64 << 20;
constexpr std::chrono::milliseconds kSyncEvery{1000};

std::string commitment_text(const Sha256& mac) {
    constexpr std::string_view kName = "hmac-sha256:";
    std::string out(kName.size() + 2 * mac.size(), '\0');
    std::ranges::copy(kName, out.begin());
    write_hex(mac, out.data() + kName.size());
    return out;
}

class PackVault final : public Vault {
  public:
    PackVault(std::filesystem::path dir, std::string tenant, std::unique_ptr<KeyRing> keys)
        : dir_(dir),
          keys_(std::move(keys)),
          subjects_(dir / "keys", std::move(tenant), *keys_),
          packs_(dir / "packs") {
        writer_ = std::thread([this] {
            name_this_thread("writ-vault");
            let_work_gather();
            write_loop();
        });
    }

    ~PackVault() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        writer_.join();
        // Keys of payloads that were committed to and not kept.
        if (auto keys = subjects_.write_pending(); !keys) {
            log::error("evidence", "{}", keys.error().message());
        }
    }

    void put_each(std::span<Put> puts) override {
        std::vector<Sealing> all;
        all.reserve(puts.size());
        for (Put& put : puts) {
            if (put.plain.size() > kMaxUpstreamMessageBytes)
                put.ref = fail(ErrorCode::kTooLarge, "payload is too large for the vault");
            else
                all.push_back({&put, keys_for(put.owner), nullptr, {}});
        }
        seal(all);
        bool first = false;
        {
            const std::lock_guard lock(mutex_);
            first = queue_.empty();
            for (Sealing& each : all) each.put->ref = queue(each);
            first = first && !queue_.empty();
        }
        // Where something waited already, the writer knows.
        if (first) wake_.notify_one();
    }

    PayloadRef commit_only(std::string_view plain, const PayloadOwner& owner) override {
        const auto held = keys_for(owner);
        const VaultKeys& keys = held ? *held : keys_->current();
        return {.cid = {},
                .com = commitment_text(keys.commitment(plain)),
                .kid = keys.kid,
                .bytes = plain.size()};
    }

    Result<std::string> get(std::string_view cid, std::string_view kid) override {
        const auto keys = find_keys(kid);
        if (!keys) return fail(keys.error());
        const auto digest = digest_from_text(cid);
        if (!digest) return fail(ErrorCode::kNotFound, "no such payload");
        auto sealed = find(*digest);
        if (!sealed) return fail(sealed.error());
        const auto plain = (*keys)->open(*sealed);
        if (!plain) return fail(plain.error());
        return std::string(as_text(*plain));
    }

    bool commits(std::string_view kid, std::string_view com, std::string_view plain) override {
        const auto keys = find_keys(kid);
        if (!keys) return false;
        const std::string expected = commitment_text((*keys)->commitment(plain));
        return constant_time_equal(as_bytes(expected), as_bytes(com));
    }

    Backlog backlog() const override {
        const std::lock_guard lock(mutex_);
        return {queue_.size() + batch_.size(), queued_bytes_, failing_ || lost_};
    }

    Status flush() override {
        std::unique_lock lock(mutex_);
        ++flushes_;
        wake_.notify_all();
        // After a failure it is tried once more now: the disk may have room again.
        const std::uint64_t try_next = begun_ + 1;
        wanted_ = std::max(wanted_, try_next);
        settled_.wait(lock, [&] {
            return (queue_.empty() && batch_.empty() && !dirty_ && !failing_) || lost_ ||
                   (failing_ && ended_ >= try_next);
        });
        --flushes_;
        if (failing_) return fail(ErrorCode::kUnavailable, "the payload vault cannot be written");
        return {};
    }

    ByteView pseudonym_key() const override { return keys_->current().pseudonym.view(); }

    Result<Shredding> plan_shredding(std::string_view subject, std::string_view before) override {
        if (auto free = check_holds(subject); !free) return fail(free.error());
        return subjects_.plan(subject, before);
    }

    Status shred(std::string_view subject, const Shredding& plan) override {
        if (auto free = check_holds(subject); !free) return free;
        return subjects_.shred(subject, plan);
    }

  private:
    struct Sealing {
        Put* put;
        std::shared_ptr<const VaultKeys> held;
        const VaultKeys* keys;  // `held`, or the tenant's
        Bytes sealed;
        Sha256 committed = {}, cid = {};
    };

    // Step by step for all, because two hashes at once cost little more than one.
    void seal(std::span<Sealing> all) const {
        std::vector<crypto::Mac> macs(all.size());
        std::vector<ByteView> blobs(all.size());
        std::vector<Sha256> digests(all.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].keys = all[i].held ? all[i].held.get() : &keys_->current();
            macs[i] = {&all[i].keys->commit, as_bytes(all[i].put->plain)};
        }
        crypto::mac_each(macs, digests);
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].committed = digests[i];
            macs[i] = {&all[i].keys->nonce, all[i].committed};
        }
        crypto::mac_each(macs, digests);
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].sealed = all[i].keys->seal(all[i].put->plain, digests[i]);
            blobs[i] = all[i].sealed;
        }
        crypto::sha256_each(blobs, digests);
        for (std::size_t i = 0; i < all.size(); ++i) all[i].cid = digests[i];
    }

    // With mutex_ held.
    Result<PayloadRef> queue(Sealing& what) {
        if (failing_) return fail(ErrorCode::kUnavailable, "the payload vault cannot be written");
        const std::size_t bytes = what.sealed.size();
        const bool room = queued_bytes_ + bytes <= kMaxQueuedBytes || known_.contains(what.cid);
        if (!room) return fail(ErrorCode::kExhausted, "the payload vault's queue is full");
        if (known_.insert(what.cid).second) {
            queued_bytes_ += bytes;
            queue_.push_back(Blob{what.cid, std::move(what.sealed)});
        }
        return PayloadRef{.cid = digest_text(what.cid),
                          .com = commitment_text(what.committed),
                          .kid = what.keys->kid,
                          .bytes = what.put->plain.size()};
    }

    // Null: the tenant's own.
    std::shared_ptr<const VaultKeys> keys_for(const PayloadOwner& owner) {
        if (owner.subject.empty()) return nullptr;
        return subjects_.current(owner);
    }

    Result<std::shared_ptr<const VaultKeys>> find_keys(std::string_view kid) {
        return subject_cipher(kid) ? subjects_.find(kid) : keys_->find(kid);
    }

    // `holds`: one subject a line, for whom nothing may be shredded.
    Status check_holds(std::string_view subject) const {
        std::ifstream in(dir_ / "holds");
        for (std::string line; std::getline(in, line);) {
            if (line == subject) {
                return fail(ErrorCode::kForbidden, "`" + std::string(subject) +
                                                       "` is under a legal hold: see `" +
                                                       (dir_ / "holds").string() + "`");
            }
        }
        return {};
    }

    Result<Bytes> find(const Sha256& cid) {
        {
            const std::lock_guard lock(mutex_);
            for (const auto* blobs : {&queue_, &batch_}) {
                const auto it = std::ranges::find(*blobs, cid, &Blob::cid);
                if (it != blobs->end()) return it->bytes;
            }
        }
        const std::lock_guard disk(disk_);
        return packs_.find(cid);
    }

    void write_loop() {
        std::unique_lock lock(mutex_);
        while (true) {
            wait_for_work(lock);
            ++begun_;
            batch_.swap(queue_);
            queued_bytes_ = 0;
            const bool sync = (dirty_ || !batch_.empty()) && (stop_ || flushes_ > 0 || due());
            // A try that was under way when the stop came may have failed before the disk had room.
            const bool last = stop_;
            lock.unlock();
            const Outcome outcome = write(sync);
            lock.lock();
            finish(outcome, sync);
            ended_ = begun_;
            lost_ = outcome == Outcome::kLost;
            settled_.notify_all();
            if (outcome == Outcome::kLost) return;
            if (stop_ && ((queue_.empty() && !dirty_) || (failing_ && last))) return;
        }
    }

    void wait_for_work(std::unique_lock<std::mutex>& lock) {
        const auto ready = [this] { return stop_ || !queue_.empty() || (flushes_ > 0 && dirty_); };
        if (failing_) {
            wake_.wait_for(lock, kSyncEvery, [this] { return stop_ || wanted_ > begun_; });
        } else if (dirty_) {
            wake_.wait_until(lock, sync_at_, ready);
        } else {
            wake_.wait(lock, ready);
        }
    }

    bool due() const { return dirty_ && std::chrono::steady_clock::now() >= sync_at_; }
    // kFailed is tried again, as a full disk may be emptied. After a failed sync nobody knows what
    // the disk has (kLost): the vault stays unavailable.
    enum class Outcome { kDone, kFailed, kLost };

    // Reads batch_ without mutex_: only this thread changes it.
    Outcome write(bool sync) {
        const std::lock_guard disk(disk_);
        // Keys before what is sealed under them.
        if (auto keys = subjects_.write_pending(); !keys) {
            log::error("evidence", "{}", keys.error().message());
            return Outcome::kFailed;
        }
        if (!batch_.empty()) {
            if (auto appended = packs_.append(batch_); !appended) {
                log::error("evidence", "{}", appended.error().message());
                return Outcome::kFailed;
            }
        }
        const Status synced = packs_.full() ? packs_.close() : sync ? packs_.sync() : Status{};
        if (synced) return Outcome::kDone;
        log::error("evidence", "{}", synced.error().message());
        return Outcome::kLost;
    }

    // With mutex_ held.
    void finish(Outcome outcome, bool sync) {
        failing_ = outcome != Outcome::kDone;
        if (outcome == Outcome::kFailed) {
            // Kept for the next try, before what came meanwhile.
            for (const auto& blob : batch_) queued_bytes_ += blob.bytes.size();
            batch_.insert(batch_.end(), std::make_move_iterator(queue_.begin()),
                          std::make_move_iterator(queue_.end()));
            queue_.swap(batch_);
        }
        if (known_.size() >= kPackBlobs) known_.clear();
        if (outcome == Outcome::kDone && sync) {
            dirty_ = false;
        } else if (outcome == Outcome::kDone && !batch_.empty() && !dirty_) {
            dirty_ = true;
            sync_at_ = std::chrono::steady_clock::now() + kSyncEvery;
        }
        batch_.clear();
    }

    const std::filesystem::path dir_;
    const std::unique_ptr<KeyRing> keys_;
    SubjectKeys subjects_;

    // Guards everything down to `dirty_`. Never held while the disk is touched.
    mutable std::mutex mutex_;
    std::condition_variable wake_, settled_;
    std::vector<Blob> queue_;
    std::vector<Blob> batch_;                       // what the writer has in hand
    std::unordered_set<Sha256, DigestHash> known_;  // stored or queued lately
    std::size_t queued_bytes_ = 0;
    std::chrono::steady_clock::time_point sync_at_;
    int flushes_ = 0;                      // callers waiting in flush()
    std::uint64_t begun_ = 0, ended_ = 0;  // tries to write
    std::uint64_t wanted_ = 0;             // the try that a caller of flush() waits for
    bool stop_ = false, failing_ = false, lost_ = false, dirty_ = false;

    std::mutex disk_;  // guards packs_
    Packs packs_;
    std::thread writer_;
};

}  // namespace

Result<std::unique_ptr<Vault>> Vault::open(std::filesystem::path dir, std::string tenant,
                                           std::shared_ptr<const Custody> custody) {
    if (auto made = make_private_dir(dir); !made) return fail(made.error().in("payload vault"));
    auto keys = KeyRing::open(dir / "keys", tenant, std::move(custody));
    if (!keys) return fail(keys.error().in("payload vault"));
    return std::unique_ptr<Vault>(
        std::make_unique<PackVault>(std::move(dir), std::move(tenant), std::move(*keys)));
}

std::string pseudonym(const Vault& vault, std::string_view issuer, std::string_view subject) {
    const std::string who = std::string(issuer) + '\0' + std::string(subject);
    const Sha256 mac = crypto::hmac_sha256(vault.pseudonym_key(), as_bytes(who));
    return "ps:" + to_hex(ByteView(mac).first(8));
}

}  // namespace writ::evidence

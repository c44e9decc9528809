#include "ledger/integrator.h"

namespace writ::ledger {
namespace {

// What a publisher that cannot write leaves behind is read again from the log beyond these.
constexpr std::size_t kFreshBytes_max = 32 << 20;
constexpr std::size_t kFreshLeaves_max = 1 << 16;

}  // namespace

void Fresh::add(std::uint64_t index, std::string entry, const Sha256& leaf) {
    if (leaves_.empty()) first_ = index;
    if (leaves_.size() >= kFreshLeaves_max || index != first_ + leaves_.size()) return;
    leaves_.push_back(leaf);
    if (entries_.size() + 1 < leaves_.size() || bytes_ + entry.capacity() > kFreshBytes_max) return;
    bytes_ += entry.capacity();
    entries_.push_back(std::move(entry));
}

Status Integrator::resume() {
    if (publisher_) return {};
    auto publisher = Publisher::open(options_, key_, disk_);
    if (!publisher) return fail(publisher.error());
    publisher_.emplace(std::move(*publisher));
    reader_.emplace(wal_dir_, publisher_->size());
    return {};
}

Status Integrator::take(std::uint64_t to, const Fresh& fresh) {
    return begin_again_unless(try_take(to, fresh));
}

Status Integrator::publish(std::uint64_t to, const Fresh& fresh) {
    auto done = try_take(to, fresh);
    if (done) done = publisher_->publish();
    return begin_again_unless(std::move(done));
}

Status Integrator::begin_again_unless(Status done) {
    if (!done) {
        publisher_.reset();
        reader_.reset();
    }
    return done;
}

Status Integrator::try_take(std::uint64_t to, const Fresh& fresh) {
    if (auto done = resume(); !done) return done;
    while (publisher_->size() < to) {
        const std::uint64_t index = publisher_->size();
        const std::string* entry = fresh.entry(index);
        auto done = entry ? publisher_->append(*entry, *fresh.leaf(index)) : read(to, fresh);
        if (!done) return done;
    }
    return {};
}

// From the files, up to the next entry that is held in memory.
Status Integrator::read(std::uint64_t to, const Fresh& fresh) {
    Status appended;
    reader_->go_to(publisher_->size());
    auto read = reader_->read(to, [&](std::uint64_t index, std::string_view entry) {
        const Sha256* leaf = fresh.leaf(index);
        appended = publisher_->append(entry, leaf ? *leaf : leaf_hash(as_bytes(entry)));
        return appended.has_value() && !fresh.entry(index + 1);
    });
    return appended ? read : appended;
}

}  // namespace writ::ledger

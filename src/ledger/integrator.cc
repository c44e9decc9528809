#include "ledger/integrator.h"

namespace writ::ledger {

Status Integrator::resume() {
    if (publisher_) return {};
    auto publisher = Publisher::open(options_, key_, disk_);
    if (!publisher) return fail(publisher.error());
    publisher_.emplace(std::move(*publisher));
    reader_.emplace(wal_dir_, publisher_->size());
    return {};
}

Status Integrator::publish(std::uint64_t to, const KnownLeaves& known) {
    auto done = try_publish(to, known);
    if (!done) {
        publisher_.reset();
        reader_.reset();
    }
    return done;
}

Status Integrator::try_publish(std::uint64_t to, const KnownLeaves& known) {
    if (auto done = resume(); !done) return done;
    Status appended;
    auto read = reader_->read(to, [&](std::uint64_t index, std::string_view entry) {
        const Sha256* leaf = known.find(index);
        appended = publisher_->append(entry, leaf ? *leaf : leaf_hash(as_bytes(entry)));
        return appended.has_value();
    });
    if (!appended) return appended;
    if (!read) return read;
    return publisher_->publish();
}

}  // namespace writ::ledger

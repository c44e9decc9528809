#include "ledger/kept_file.h"

namespace writ::ledger {

Status KeptFile::write(std::string bytes) {
    const std::lock_guard lock(mutex_);
    if (auto done = replace_file(disk_, path_, bytes, mode_); !done) return done;
    written_ = std::move(bytes);
    return {};
}

Result<bool> KeptFile::restore() {
    const std::lock_guard lock(mutex_);
    if (written_.empty()) return true;
    const auto now = read_file(path_, written_.size());
    if (now && *now == written_) return true;
    // A process without descriptors cannot look: that is no change.
    if (!now && now.error().code == ErrorCode::kIo) return true;
    if (auto done = replace_file(disk_, path_, written_, mode_); !done) return fail(done.error());
    return false;
}

}  // namespace writ::ledger

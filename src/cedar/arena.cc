#include "cedar/arena.h"

#include <algorithm>

namespace writ::cedar {

void* Arena::take_bytes(std::size_t bytes) {
    bytes = (bytes + kAlign - 1) / kAlign * kAlign;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) {
        ++block_;
        used_ = 0;
    }
    if (block_ == blocks_.size()) {
        const std::size_t size = std::max(bytes, kBlockBytes);
        blocks_.push_back({std::make_unique<std::byte[]>(size), size});
        used_ = 0;
    }
    std::byte* out = blocks_[block_].bytes.get() + used_;
    used_ += bytes;
    return out;
}

void Arena::clear() {
    block_ = 0;
    used_ = 0;
    std::size_t kept = 0;
    for (const Block& block : blocks_) kept += block.size;
    for (; kept > kKeptBytesMax && !blocks_.empty(); blocks_.pop_back())
        kept -= blocks_.back().size;
}

}  // namespace writ::cedar

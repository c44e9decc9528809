// Memory of one decision: taken in pieces, given back all at once, and kept for the next decision,
// so that after the first few nothing is allocated.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace writ::cedar {

class Arena {
  public:
    // `count` default-made objects that live until clear().
    template <class T>
    T* take(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kAlign);
        void* at = take_bytes(count * sizeof(T));
        return new (at) T[count]{};
    }
    // Everything taken is gone; the memory stays, up to kKeptBytesMax of it.
    void clear();

  private:
    static constexpr std::size_t kAlign = alignof(std::max_align_t);
    static constexpr std::size_t kBlockBytes = 16 << 10;
    static constexpr std::size_t kKeptBytesMax = 1 << 20;

    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t size = 0;
    };
    void* take_bytes(std::size_t bytes);

    std::vector<Block> blocks_;
    std::size_t block_ = 0, used_ = 0;  // the block in use, and how much of it
};

}  // namespace writ::cedar

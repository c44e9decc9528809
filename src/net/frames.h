// The memory of coroutine frames: a thread hands out again what it freed last.
//
// OPTIMIZATION: a call runs through twenty coroutines. An allocator takes their frames, of 0.2 to 2
// KiB, from wherever it has room, which is seldom still in the processor's cache.
#pragma once

#include <cstddef>

namespace writ::net {

// As operator new and delete. What is freed is kept for the thread that frees it: of each multiple
// of 64 bytes up to kMaxKeptFrame at most kKeptFrameBytes. Under a sanitizer nothing is kept, so
// that the use of a frame after its end shows.
inline constexpr std::size_t kMaxKeptFrame = 4096;
inline constexpr std::size_t kKeptFrameBytes = 64 << 10;
void* allocate_frame(std::size_t bytes);
void free_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace writ::net

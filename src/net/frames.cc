#include "net/frames.h"

#include <array>
#include <cstdint>
#include <new>

namespace writ::net {

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define WRIT_FRAMES_KEPT 0
#endif
#endif
#ifndef WRIT_FRAMES_KEPT
#define WRIT_FRAMES_KEPT 1
#endif

#if WRIT_FRAMES_KEPT

constexpr std::size_t kStep = 64;

// A freed frame: it holds the link to the next.
struct Kept {
    Kept* next;
};

struct Size {
    Kept* first = nullptr;
    std::size_t bytes = 0;  // kept of this size
};

// Trivial, so that a frame may be freed at any time: also while the thread's other objects end.
struct Frames {
    std::array<Size, kMaxKeptFrame / kStep> sizes;
    bool ended;
};
constinit thread_local Frames frames{};

// Gives back what is kept when the thread ends.
struct AtThreadEnd {
    AtThreadEnd() = default;
    AtThreadEnd(const AtThreadEnd&) = delete;
    AtThreadEnd& operator=(const AtThreadEnd&) = delete;
    ~AtThreadEnd() {
        frames.ended = true;
        for (Size& size : frames.sizes) {
            while (size.first != nullptr) {
                Kept* const kept = size.first;
                size.first = kept->next;
                ::operator delete(kept);
            }
        }
    }
    void look() const {}
};
thread_local const AtThreadEnd at_thread_end;

std::size_t place_of(std::size_t bytes) {
    return (bytes - 1) / kStep;
}

#endif

}  // namespace

#if WRIT_FRAMES_KEPT

void* allocate_frame(std::size_t bytes) {
    if (bytes > kMaxKeptFrame) return ::operator new(bytes);
    const std::size_t place = place_of(bytes);
    Size& size = frames.sizes[place];
    if (size.first == nullptr) return ::operator new((place + 1) * kStep);
    Kept* const kept = size.first;
    size.first = kept->next;
    size.bytes -= (place + 1) * kStep;
    return kept;
}

void free_frame(void* frame, std::size_t bytes) noexcept {
    const std::size_t place = place_of(bytes);
    if (bytes > kMaxKeptFrame || frames.ended || frames.sizes[place].bytes >= kKeptFrameBytes) {
        ::operator delete(frame);
        return;
    }
    Size& size = frames.sizes[place];
    if (size.bytes == 0) at_thread_end.look();  // makes it, so that it ends
    size.first = ::new (frame) Kept{size.first};
    size.bytes += (place + 1) * kStep;
}

#else

void* allocate_frame(std::size_t bytes) {
    return ::operator new(bytes);
}

void free_frame(void* frame, std::size_t) noexcept {
    ::operator delete(frame);
}

#endif

}  // namespace writ::net

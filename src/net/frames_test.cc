// Memory of frames: used again by the thread that frees it, within its bounds.
#include "net/frames.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WRIT_SANITIZED 1
#endif
#endif

namespace writ::net {
namespace {

TEST(Frames, EverySizeIsWritable) {
    std::vector<std::pair<void*, std::size_t>> all;
    for (int round = 0; round < 2; ++round) {
        for (std::size_t bytes = 1; bytes < 2 * kMaxKeptFrame; bytes += 13) {
            void* const frame = allocate_frame(bytes);
            std::memset(frame, 0xa5, bytes);
            all.emplace_back(frame, bytes);
        }
        std::set<void*> different;
        for (const auto& [frame, bytes] : all) different.insert(frame);
        EXPECT_EQ(different.size(), all.size()) << "no two live frames share memory";
        for (const auto& [frame, bytes] : all) free_frame(frame, bytes);
        all.clear();
    }
}

#ifndef WRIT_SANITIZED
TEST(Frames, WhatWasFreedLastIsUsedFirst) {
    void* const a = allocate_frame(300);
    void* const b = allocate_frame(310);  // the same multiple of 64
    free_frame(a, 300);
    free_frame(b, 310);
    EXPECT_EQ(allocate_frame(320), b);
    EXPECT_EQ(allocate_frame(290), a);
    free_frame(a, 290);
    free_frame(b, 320);
}
#endif

TEST(Frames, MoreThanIsKeptGoesBack) {
    std::vector<void*> many;
    for (std::size_t i = 0; i < 4 * kKeptFrameBytes / 1024; ++i)
        many.push_back(allocate_frame(1024));
    for (void* frame : many) free_frame(frame, 1024);
    void* const one = allocate_frame(1024);
    free_frame(one, 1024);
}

// A task may hop: its frame is freed by another thread than the one that made it, and that thread
// may end.
TEST(Frames, AThreadFreesWhatAnotherMadeAndEnds) {
    for (int round = 0; round < 20; ++round) {
        std::vector<void*> made;
        for (int i = 0; i < 50; ++i) made.push_back(allocate_frame(512));
        std::thread other([&made] {
            for (void* frame : made) free_frame(frame, 512);
            void* const again = allocate_frame(512);
            std::memset(again, 1, 512);
            free_frame(again, 512);
        });
        other.join();
    }
}

}  // namespace
}  // namespace writ::net

// For loops that the compiler turns into vectors.
#pragma once

// Compiled twice, for AVX2 as well, and chosen by the processor when the program starts. Not under
// a sanitizer, which is not ready then.
#if defined(__x86_64__) && defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define WRIT_WIDE __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef WRIT_WIDE
#define WRIT_WIDE
#endif

// Any bytes as a leaf: the reader, what is made of it for people and for exports, and the check
// must end without harm, and what is shown must be inert.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "evidence/check.h"
#include "evidence/encode.h"
#include "evidence/export.h"
#include "evidence/leaf.h"
#include "evidence/summary.h"
#include "evidence/words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace e = writ::evidence;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    e::Checker checker;
    const auto hash = e::leaf_hash(bytes);
    checker.feed(0, bytes, hash);
    checker.feed(1, bytes, hash);
    static_cast<void>(checker.finish([&](std::uint64_t) { return std::string(bytes); }));
    const auto leaf = e::read_leaf(bytes);
    if (!leaf) return 0;
    static_cast<void>(e::check_canonical(*leaf, bytes));
    for (const char c : e::summary(*leaf)) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
    }
    if (e::words_of(*leaf).size() > e::kMaxWords + 1) std::abort();
    const e::ExportPlace place{"origin", 7};
    static_cast<void>(e::to_ocsf(*leaf, bytes, place).dump());
    static_cast<void>(e::to_cloudevent(*leaf, bytes, place).dump());
    static_cast<void>(e::to_otlp_record(*leaf, bytes, place).dump());
    return 0;
}

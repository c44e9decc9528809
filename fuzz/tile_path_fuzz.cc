// Paths from readers: what is accepted is the one name of a tile, and bundles from other logs are
// taken apart within their bytes.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "ledger/tile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    if (const auto tile = writ::ledger::parse_tile_path(text)) {
        WRIT_CHECK(text == (tile->entries
                                ? writ::ledger::bundle_path(tile->n, tile->width)
                                : writ::ledger::tile_path(tile->level, tile->n, tile->width)));
        WRIT_CHECK(text.find("..") == std::string::npos);
    }
    if (const auto entries = writ::ledger::split_bundle(text, 3)) {
        std::string again;
        for (const auto& entry : *entries) writ::ledger::append_entry(again, entry);
        WRIT_CHECK(text.starts_with(again));
    }
    return 0;
}

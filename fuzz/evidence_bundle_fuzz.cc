// Any bytes as a bundle or a receipt: no harm, and no bundle that nobody signed holds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "evidence/bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace e = writ::evidence;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    // A key nobody has: whatever comes, there is a finding.
    constexpr std::string_view kKey =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    if (e::check_bundle(bytes, kKey).findings.empty()) std::abort();
    static_cast<void>(e::check_bundle(bytes, ""));
    static_cast<void>(e::parse_receipt(bytes));
    return 0;
}

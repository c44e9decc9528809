// Formatting: any text is laid out or refused. A layout is stable; that it has the same policies
// and comments is checked by format() itself, whose doubt is a finding here.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/formatter.h"

namespace cedar = writ::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    cedar::FormatOptions options;
    options.line_width = data[0] % 128U + 1;
    options.indent_width = data[0] / 128U * 2 + 1;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const auto once = cedar::format(text, options);
    if (!once) {
        WRIT_CHECK(once.error().code != writ::ErrorCode::kInternal);
        return 0;
    }
    WRIT_CHECK(cedar::format(*once, options).value() == *once);
    return 0;
}

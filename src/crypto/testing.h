// What crypto's tests share.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace writ::crypto {

// The bytes of a published vector.
inline Bytes hex(std::string_view text) {
    return from_hex(text).value();
}

}  // namespace writ::crypto

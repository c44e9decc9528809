#include "base/error.h"

#include <cstring>

namespace writ {

std::string_view name(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalid:
            return "invalid";
        case ErrorCode::kTooLarge:
            return "too_large";
        case ErrorCode::kUnauthenticated:
            return "unauthenticated";
        case ErrorCode::kForbidden:
            return "forbidden";
        case ErrorCode::kNotFound:
            return "not_found";
        case ErrorCode::kConflict:
            return "conflict";
        case ErrorCode::kExhausted:
            return "exhausted";
        case ErrorCode::kCancelled:
            return "cancelled";
        case ErrorCode::kTimeout:
            return "timeout";
        case ErrorCode::kUnavailable:
            return "unavailable";
        case ErrorCode::kIo:
            return "io";
        case ErrorCode::kCorrupt:
            return "corrupt";
        case ErrorCode::kUnsupported:
            return "unsupported";
        case ErrorCode::kInternal:
            return "internal";
    }
    return "internal";
}

std::string SourceRef::text() const {
    if (file.empty()) return {};
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Error::message() const {
    std::string out;
    if (!at.file.empty()) out += at.file + ":";
    if (at.line != 0) {
        out += (at.file.empty() ? "line " : "") + std::to_string(at.line) + ":";
        if (at.column != 0) out += std::to_string(at.column) + ":";
    }
    if (!out.empty()) out += " ";
    return out + detail;
}

Error Error::in(std::string_view what) const {
    return Error{code, std::string(what) + ": " + detail, at};
}

Error io_error(std::string_view what, int errno_value) {
    char buffer[128];
    const char* text = strerror_r(errno_value, buffer, sizeof buffer);
    return Error{ErrorCode::kIo, std::string(what) + ": " + text, {}};
}

}  // namespace writ

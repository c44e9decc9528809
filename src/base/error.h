// Errors as values. Every function that can fail because of the outside world (input, network,
// disk, a peer) returns Result<T>; nothing throws across a room. The list of codes is closed, in
// the manner of Abseil's canonical codes, so that a door can map each to its protocol once.
//
//   Result<Config> c = load(path);
//   if (!c) return fail(c.error());            // hand it up unchanged
//   return fail(ErrorCode::kInvalid, "unknown key `polices`", {path, 12, 1});
//
// Messages: lower case, no final stop, user text in backticks, what to write instead where that is
// known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace writ {

// What kind of failure; the comment gives the usual HTTP status of a desk that answers with it.
enum class ErrorCode : std::uint8_t {
    kInvalid,          // the input is malformed or breaks a rule of its format (400)
    kTooLarge,         // a named limit of base/limits.h was passed (413)
    kUnauthenticated,  // no credential, or one that is not valid now (401)
    kForbidden,        // known caller, not permitted (403)
    kNotFound,         // no such thing, or none that this caller may know of (404)
    kConflict,         // exists already, or changed since it was read (409)
    kExhausted,        // a budget, quota or queue is full (429)
    kCancelled,        // the caller went away or the work was ended (499)
    kTimeout,          // a deadline passed (504)
    kUnavailable,      // a peer or a resource is not there now; trying again may help (503)
    kIo,               // the disk or the system failed (500)
    kCorrupt,          // stored data does not verify (500)
    kUnsupported,      // understood, but not offered here (501)
    kInternal,         // should not happen; a bug or a foreign library's surprise (500)
};

// The stable lower-case name of a code (`invalid`, `not_found`, …), as printed in JSON errors.
std::string_view name(ErrorCode code);

// A place in a text the user wrote. Line and column count from 1; 0 means unknown.
struct SourceRef {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    // `file:line:column`; empty without a file.
    std::string text() const;
    bool operator==(const SourceRef&) const = default;
};

struct Error {
    ErrorCode code = ErrorCode::kInternal;
    std::string detail;
    SourceRef at = {};

    // `file:line:column: detail`, leaving out what is unknown.
    std::string message() const;
    // The same error with `what` put before its detail, joined by a colon.
    Error in(std::string_view what) const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> fail(ErrorCode code, std::string detail, SourceRef at = {}) {
    return tl::unexpected<Error>(Error{code, std::move(detail), std::move(at)});
}
// kCorrupt with `detail`.
inline Error corrupt(std::string detail) {
    return {ErrorCode::kCorrupt, std::move(detail), {}};
}
// kIo with `what` and the text of errno value `errno_value`.
Error io_error(std::string_view what, int errno_value);

}  // namespace writ

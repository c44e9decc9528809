// Whether a text that names something is written the one way in which it may be written
// (docs/architecture.md, rule 2): two readers of one argument must see the same path, URL or
// number. Nothing here rewrites; what is not canonical is refused.
//
// Paths are judged as text. What a symbolic link, a mount, a case-folding or normalising file
// system makes of them is the tool server's and its sandbox's business, not decided here.
#pragma once

#include <string>
#include <string_view>

#include "json/value.h"

namespace writ::catalog {

// One resource's uri, and one path: Linux's PATH_MAX.
inline constexpr std::size_t kMaxUriBytes = 4096;

// What is wrong with a text as …; empty if nothing is. For people: `has a `..` segment`.
//
// An absolute path: starts with `/`; no `.`, `..` or empty segment, no slash at the end (except the
// root itself), no space there; no backslash, control, invisible or look-alike character
// (full-width forms, other slashes and dots); no percent-encoded `/`, `\`, `.`, `%` or control.
std::string absolute_path_fault(std::string_view text);
// The same without the slash at the start.
std::string relative_path_fault(std::string_view text);
// `scheme://host[:port][/path][?query][#fragment]` in printable ASCII: scheme and host in lower
// case, no user name, no numeric host other than dotted decimal, no default port, path canonical,
// percent-encodings in upper case and only where needed. An empty path is let pass (it is `/`).
std::string url_fault(std::string_view text);
// `-?(0|[1-9][0-9]*)([.][0-9]*[1-9])?`, not `-0`.
std::string number_fault(std::string_view text);

// What is wrong with a sensitive argument: every text in it that looks like a path, a URL or a
// number, however disguised (white space around it, look-alike characters, encodings), must be
// canonical; JSON numbers must be written as RFC 8785 does. Looks into arrays and objects.
std::string sensitive_fault(const json::Value& value);

// `text` as a careless reader may see it: look-alikes of ASCII folded, invisible and control
// characters left out, white space trimmed. Only for recognising, never for use.
std::string skeleton(std::string_view text);

}  // namespace writ::catalog

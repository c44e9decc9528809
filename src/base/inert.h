// Foreign text, shown inert (docs/architecture.md, rule 11): text that an agent, a tool or a
// stranger wrote passes through here before a person sees it in a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace writ {

// A printable one-line form of `text`: C0 and C1 controls, DEL, bidirectional and zero-width format
// characters, line and paragraph separators and invalid UTF-8 become `\xNN` or `\u{…}` escapes. At
// most `max_bytes` of it, then `…`.
std::string inert(std::string_view text, std::size_t max_bytes = 4096);

// The same JSON value as the JSON text `json`, spelt so that a terminal shows all of it: what
// inert() escapes becomes `\uXXXX`. Line breaks and indentation stay, invalid UTF-8 becomes U+FFFD.
std::string inert_json(std::string_view json);

}  // namespace writ

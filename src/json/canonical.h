// Numbers as ECMAScript writes them (ECMA-262 Number::toString, as RFC 8785 section 3.2.2.3
// demands).
#pragma once

#include <string>

namespace writ::json {

// Appends the shortest text that reads back as `number`. A number that is not finite becomes
// `null`, as JSON.stringify has it.
void append_number(std::string& out, double number);

}  // namespace writ::json

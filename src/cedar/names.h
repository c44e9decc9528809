// Identifiers and qualified names: what may name a type, an attribute, a key.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace writ::cedar {

// `[_a-zA-Z][_a-zA-Z0-9]*`
bool is_identifier(std::string_view text);
// true false if then else in is like has: nothing may be named so without quotes.
bool is_reserved(std::string_view identifier);
// An unreserved identifier, as it may stand after a dot or as a bare record key.
bool is_bare_key(std::string_view text);
// `A::B::C` of unreserved identifiers, without spaces, without `__cedar`.
bool is_normalized_name(std::string_view text);
// Whether `type`'s last component is `Action`.
bool is_action_type(std::string_view type);
// The one of `names` that `wrong` was most likely meant to be; empty if none is near.
std::string nearest(std::string_view wrong, std::span<const std::string_view> names);

}  // namespace writ::cedar

// What a name in a schema means (digest section 7). An unqualified name in namespace N means
// N::name, else name, and at each a common type before an entity type; last the builtins.
// Qualified names mean what they say.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/types.h"

namespace writ::cedar {

// Which kinds of types may stand somewhere.
enum class Wanted : std::uint8_t { kAny, kEntity, kCommon };

struct Meaning {
    enum class Kind : std::uint8_t { kNothing, kCommon, kEntity, kBuiltin } kind = Kind::kNothing;
    std::uint32_t index = 0;  // of the common type or the entity type
    TypeId type = kNoType;    // kBuiltin
};

std::string full_name(std::string_view space, std::string_view name);
// Whether a builtin type has that name: Long String Bool decimal ipaddr datetime duration.
bool is_builtin_type(std::string_view name);
// The builtin extension type; kNoType if there is none of that name.
TypeId extension_type(std::string_view name);
// An extension type's name near to `wrong`, or the list of them, to be shown.
std::string extension_help(std::string_view wrong);

class SchemaNames {
  public:
    // Full names. False if the name is taken by the same kind.
    bool add_common(std::string full, std::uint32_t index);
    bool add_entity(std::string full, std::uint32_t index);
    bool declares(std::string_view full) const;

    Meaning find(std::string_view space, std::string_view name, Wanted wanted) const;
    // Why find() gave nothing; with a suggestion if `suggest`.
    std::string unresolved(std::string_view space, std::string_view name, Wanted wanted,
                           bool suggest) const;

  private:
    using Index = std::map<std::string, std::uint32_t, std::less<>>;

    Meaning find_exactly(std::string_view full, Wanted wanted) const;
    std::string nearest_name(std::string_view space, std::string_view name, Wanted wanted) const;

    Index common_, entities_;
};

}  // namespace writ::cedar

// How pins lie in the store: the digest under kind `pin`, the accepted definition beside it under
// `pin_definition`, both by `server/tool`, written together.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "catalog/catalog.h"
#include "store/store.h"

namespace writ::admin {

std::vector<store::Change> pin_changes(const std::string& tenant,
                                       const std::vector<catalog::Pin>& pins);
// Errors: kCorrupt (a record that is none), the store's. A digest without its definition is one
// that an older version wrote.
Result<std::vector<catalog::Pin>> read_pins(store::Store& store, const std::string& tenant);

}  // namespace writ::admin

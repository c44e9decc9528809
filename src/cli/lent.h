// The secrets that this gateway lends to tool servers: what gate::Secrets looks for in every
// answer.
#pragma once

#include <memory>
#include <vector>

#include "catalog/catalog.h"
#include "gate/secrets.h"

namespace writ::cli {

// Values of a server's `env` and `set` whose names say that they are secrets (KEY, TOKEN, SECRET,
// PASSWORD, PASSWD, CREDENTIAL, AUTH as a word or at the end of one), and of every `bearer_env` and
// `header_env`. What is shorter than gate::kMinSecretBytes cannot be looked for: it is left out
// with a warning that names it. Errors: gate::Secrets::make()'s; nobody may serve without them.
Result<std::shared_ptr<const gate::Secrets>> lent_secrets(
    const std::vector<catalog::ServerSpec>& servers);

}  // namespace writ::cli

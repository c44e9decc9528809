// What a Node is made of, in one include, and the handler of the agents' TCP listener.
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "catalog/catalog.h"
#include "cli/config.h"
#include "desks/admin/desk.h"
#include "desks/admin/pin_records.h"
#include "desks/launch/desk.h"
#include "doors/mcp/door.h"
#include "doors/mcp/upstreams.h"
#include "evidence/recorder.h"
#include "evidence/vault.h"
#include "gate/gate.h"
#include "gate/survival.h"
#include "identity/directory.h"
#include "ledger/ledger.h"
#include "net/http.h"
#include "policy/policy.h"
#include "store/store.h"

namespace writ::cli {

// `/mcp` and `/mcp/{server}` for bearer writs (where the operator allows them), their metadata
// under `/.well-known/oauth-protected-resource`, `/jwks`, `/healthz`, `/readyz`; all else is 404.
net::HttpHandler agents_handler(const Config& config, mcp::Door& door,
                                const identity::Directory& directory, const ledger::Ledger& ledger,
                                std::uint16_t port);
// How that listener reads: the body of a request without a good credential is left unread.
net::HttpServerOptions agents_options(const Config& config, const identity::Directory& directory);

}  // namespace writ::cli

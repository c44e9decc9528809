// The readers' listener: the log as C2SP tlog-tiles under `/log/{tenant}/{node}/`, for anyone who
// may connect, and `/metrics` where the configuration says so. Off unless `[listen] readers` names
// an address.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/metrics.h"
#include "cli/config.h"
#include "ledger/ledger.h"
#include "net/http.h"

namespace writ::cli {

// Makes the page of metrics; awaited on the reactor of the readers' listener.
using MetricsPage = std::function<net::Task<std::string>(metrics::Format)>;

// Serves `log_dir` under `prefix` (`/log/default/gw-1`), and `/metrics` if `page` is not empty. GET
// only. Only the names of a log are served, so no path can lead anywhere else. Files are read on
// the pool, never on the reactor.
net::HttpHandler readers_handler(net::Reactor& reactor, std::string prefix,
                                 std::filesystem::path log_dir, MetricsPage page);

// Listens where the configuration says; nothing when it names no address. Made on `reactor`'s
// thread or before it runs. `page` is used where the configuration allows it. Errors: of
// net::Listener::bind().
Result<std::unique_ptr<net::HttpServer>> start_readers(const Config& config, net::Reactor& reactor,
                                                       MetricsPage page);

// The ledger's options from the configuration. Errors: kInvalid (the policy, with its line; a
// witness without a usable URL), kNotFound.
Result<ledger::Options> log_options(const Config& config);

}  // namespace writ::cli

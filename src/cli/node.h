// The object graph of one gateway: every room wired to the ones below it, from a Config. `writ up`
// makes one and runs it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/config.h"

namespace writ::cli {

class Node {
  public:
    // Opens keys, store, ledger, vault and policies; binds the listeners. Nothing is served yet.
    // Errors: what is wrong and what to do (a broken policy, a port in use, a log that does not
    // verify).
    static Result<std::unique_ptr<Node>> open(Config config);
    ~Node();

    // The agents' endpoint on the bound port; empty where it is off.
    std::string agents_url() const;
    // Starts the tool servers, serves until SIGINT or SIGTERM, then closes: live tasks are ended
    // and recorded, the log is published whole. Calls `ready` once requests are served.
    Status run(const std::function<void()>& ready);

  private:
    struct Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace writ::cli

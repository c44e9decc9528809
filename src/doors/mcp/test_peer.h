// What the tests of this room share: the fake tool server, and ways to wait for events.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/temp_dir.h"
#include "catalog/catalog.h"
#include "net/reactor.h"

namespace writ::mcp::testing_peer {

// A server that runs the fake in `mode` and logs what it receives to `<name>.log`.
inline catalog::ServerSpec fake(const TempDir& folder, const std::string& name,
                                const std::string& mode, bool shared = false) {
    catalog::ServerSpec spec;
    spec.name = name;
    spec.command = {WRIT_FAKE_SERVER, mode, folder.file(name + ".log")};
    spec.shared = shared;
    return spec;
}

// Looks at `ready` on the reactor until it holds, for at most ten seconds.
inline net::Task<bool> eventually(net::Reactor* reactor, std::function<bool()> ready) {
    for (int i = 0; i < 2'000; ++i) {
        if (ready()) co_return true;
        co_await reactor->sleep(net::Millis(5));
    }
    co_return ready();
}

// How often `part` occurs in `text`.
inline std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

}  // namespace writ::mcp::testing_peer

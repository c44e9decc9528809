// How each tool server is: what an operator sees in `writ catalog list`. Touched when a server
// starts, fails, ends or is asked about, never by a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace writ::mcp {

// kUp: it answered the last time it was started. kStarting: the first attempt is under way.
// kBackoff: it failed and is tried again by itself. kDown: it ended, and is started by the next
// call that needs it.
enum class ServerState : std::uint8_t { kStarting, kUp, kBackoff, kDown };
std::string_view name(ServerState state);

struct ServerHealth {
    std::string server;
    ServerState state = ServerState::kStarting;
    std::int64_t since_us = 0;  // wall time of the last change of state
    std::int64_t restarts = 0;  // starts after a failure or an unasked end
    std::size_t instances = 0;  // running now
    std::size_t in_flight = 0;  // calls, over all instances
    std::string last_error;     // inert; of the last failure, kept when it is up again
    std::int64_t retry_us = 0;  // kBackoff: wall time of the next attempt
};

// Thread: any.
class HealthBoard {
  public:
    void up(const std::string& server);
    void failed(const std::string& server, std::string_view why, std::int64_t retry_in_ms);
    void down(const std::string& server, std::string_view why);
    void restarted(const std::string& server);
    void forget(const std::string& server);  // it is another one now
    // In the order of `servers`; instances and in_flight are the caller's to fill.
    std::vector<ServerHealth> read(const std::vector<std::string>& servers) const;

  private:
    void turn(ServerHealth& health, ServerState state);
    ServerHealth& of(const std::string& server);

    mutable std::mutex mutex_;  // guards all_; held for a few assignments
    std::map<std::string, ServerHealth> all_;
};

}  // namespace writ::mcp

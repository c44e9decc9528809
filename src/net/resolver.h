// Host names to addresses. getaddrinfo(3) takes as long as the name servers let it, so every lookup
// has a thread of its own: a name that stalls holds up who asked for it, each until its own
// deadline, and nobody else. A host and port is looked up once at a time, for all who wait for it,
// and a good answer is kept for kResolvedFor. Inner header of the room.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "net/http_pool.h"
#include "net/reactor.h"
#include "net/task.h"

namespace writ::net {

// Lookups under way. Names come from the operator, so there are few; this many stall at once only
// where no name server answers at all.
inline constexpr std::size_t kMaxLookups = 16;
// Long enough for the connections that a burst of calls opens, too short for a moved server to be
// missed.
inline constexpr std::chrono::seconds kResolvedFor{5};
// Good answers that are kept.
inline constexpr std::size_t kMaxResolved = 64;

using Addresses = std::vector<Address>;
// Blocks. Errors: kUnavailable (no such name, no address, no answer).
using Lookup = std::function<Result<Addresses>(const std::string& host, std::uint16_t port)>;

// Thread: any.
class Resolver {
  public:
    explicit Resolver(Lookup lookup);
    // Resumes on `reactor`. Errors: as Lookup, kTimeout (`deadline`; the lookup goes on for the
    // next one), kExhausted (kMaxLookups).
    Task<Result<Addresses>> resolve(Reactor* reactor, std::string host, std::uint16_t port,
                                    Deadline deadline);

    // The one that asks the system, for the whole process.
    static const std::shared_ptr<Resolver>& of_process();

  private:
    struct State;
    std::shared_ptr<State> state_;  // shared with lookups, which may outlive this
};

}  // namespace writ::net

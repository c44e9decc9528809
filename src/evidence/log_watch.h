// What the log's own state becomes as evidence: a quorum that is lost or regained, files changed
// behind its back, a second copy that stands still, and now and then that the witnesses have
// confirmed the log. One look a second costs nothing; nothing is said twice.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "evidence/event.h"
#include "ledger/ledger.h"

namespace writ::evidence {

// Between two `checkpoint.witnessed` while there is something new.
inline constexpr std::int64_t kWitnessedEvery_us = 60'000'000;

class LogWatch {
  public:
    explicit LogWatch(std::string quorum = {}) : quorum_(std::move(quorum)) {}

    // The events that `health` gives rise to: `evidence.degraded` (of which the log has kept room)
    // and `checkpoint.witnessed`. An event is an entry, which gets a checkpoint, which gets
    // witnessed: so a `checkpoint.witnessed` is only due when other entries stand below it too.
    std::vector<Draft> look(const ledger::Health& health, std::int64_t now_us);

  private:
    void look_at_quorum(const ledger::Health& health, std::int64_t now_us, std::vector<Draft>& out);
    void look_at_witnesses(const ledger::Health& health, std::int64_t now_us,
                           std::vector<Draft>& out);

    const std::string quorum_;  // its name in the policy
    bool has_quorum_ = true;
    std::int64_t lost_us_ = 0;
    std::set<std::string> tampered_;  // that were told
    std::string mirror_trouble_;
    std::uint64_t witnessed_ = 0;  // size that was told
    std::uint64_t own_ = 0;        // own events since
    std::int64_t told_us_ = 0;
};

}  // namespace writ::evidence

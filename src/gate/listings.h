// The tools that a task may see, kept from one tools/list to the next. Telling them asks every
// policy about every tool, which is too much for each listing and far too much for a call. Inner
// header of the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "catalog/catalog.h"
#include "gate/passage.h"
#include "identity/types.h"

namespace writ::gate {

// Tasks whose listings are kept; the one asked longest ago is forgotten first. 100 tools take 2 KB.
inline constexpr std::size_t kMaxListings = 4096;

using ToolList = std::vector<std::shared_ptr<const catalog::Tool>>;

// Whether every link of `task` has a grant, not expired at `now_us`, for some tool of `server`.
bool grants_name(const identity::Task& task, std::string_view server, std::int64_t now_us);

// Thread: any. A listing holds for one swap of the policies, one snapshot of the catalog and until
// the next grant of the task's chain expires; what has been revoked is the caller's to ask.
class Listings {
  public:
    // The tools of `catalog` that some call of the task could be permitted for, in its order.
    // Cost: a look-up, or policy::Engine::possible() for each tool where nothing is kept.
    ToolList of(const identity::TaskPtr& task, const EngineAt& at,
                const std::shared_ptr<const catalog::Snapshot>& catalog, std::int64_t now_us);

  private:
    struct Entry {
        TaskId task;
        std::uint64_t epoch = 0;
        std::shared_ptr<const catalog::Snapshot> catalog;  // kept, so that its address is its own
        std::int64_t until_us = 0;
        ToolList tools;
    };
    using Entries = std::list<Entry>;

    std::mutex mutex_;  // guards both
    Entries entries_;   // the last asked first
    std::unordered_map<TaskId, Entries::iterator, UuidHash> by_task_;
};

}  // namespace writ::gate

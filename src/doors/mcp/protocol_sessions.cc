#include "doors/mcp/protocol_sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/secret.h"
#include "json/value.h"

namespace writ::mcp {

namespace {

constexpr std::size_t kIdBytes = 24;

}  // namespace

std::string flight_key(std::string_view raw_id) {
    // A string without escapes is its own key, and so is every number that is written plainly.
    if (raw_id.find('\\') == std::string_view::npos && raw_id.find_first_of(".eE") == raw_id.npos)
        return std::string(raw_id);
    const auto document = json::parse(raw_id);
    if (!document) return std::string(raw_id);
    const json::Value id = document->root();
    if (const auto text = id.as_string()) return '"' + std::string(*text) + '"';
    if (const auto number = id.as_i64()) return std::to_string(*number);
    return std::string(raw_id);
}

ProtocolSession::ProtocolSession(std::string id, identity::SessionPtr owner, Terms terms)
    : id_(std::move(id)), owner_(std::move(owner)), terms_(std::move(terms)) {}

Status ProtocolSession::begin(std::string key, std::weak_ptr<Told> flight) {
    const std::lock_guard lock(mutex_);
    if (ended_) return fail(ErrorCode::kNotFound, "the session has ended");
    if (std::ranges::find(flights_, key, &Flight::key) != flights_.end())
        return fail(ErrorCode::kConflict, "this id is in flight already");
    if (flights_.size() >= kMaxFlights_per_session)
        return fail(ErrorCode::kExhausted,
                    fmt::format("{} calls are in flight; wait for some to end", flights_.size()));
    flights_.push_back({std::move(key), std::move(flight)});
    return {};
}

void ProtocolSession::end(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto it = std::ranges::find(flights_, key, &Flight::key);
    if (it == flights_.end()) return;
    if (it != flights_.end() - 1) *it = std::move(flights_.back());
    flights_.pop_back();
}

bool ProtocolSession::cancel(std::string_view key) {
    std::shared_ptr<Told> flight;
    {
        const std::lock_guard lock(mutex_);
        const auto it = std::ranges::find(flights_, key, &Flight::key);
        if (it != flights_.end()) flight = it->told.lock();
    }
    if (flight) flight->tell(Told::Why::kCancelled);
    return flight != nullptr;
}

Status ProtocolSession::open(const std::shared_ptr<Told>& stream) {
    const std::lock_guard lock(mutex_);
    if (ended_) return fail(ErrorCode::kNotFound, "the session has ended");
    if (streams_.size() >= kMaxStreams_per_session)
        return fail(ErrorCode::kExhausted,
                    fmt::format("{} streams are open; close one first", kMaxStreams_per_session));
    streams_.push_back({stream.get(), stream});
    return {};
}

void ProtocolSession::close(const Told* stream) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [stream](const Stream& s) { return s.stream == stream; });
}

bool ProtocolSession::is_first(const Told* stream) const {
    const std::lock_guard lock(mutex_);
    return !streams_.empty() && streams_.front().stream == stream;
}

bool ProtocolSession::shows(std::uint64_t digest) {
    const std::lock_guard lock(mutex_);
    const bool other = shown_any_ && shown_ != digest;
    shown_ = digest;
    shown_any_ = true;
    return other;
}

void ProtocolSession::tell_all(Told::Why why) {
    std::vector<std::shared_ptr<Told>> all;
    {
        const std::lock_guard lock(mutex_);
        if (why == Told::Why::kDead) ended_ = true;
        for (const auto& stream : streams_)
            if (auto told = stream.told.lock()) all.push_back(std::move(told));
        if (why == Told::Why::kDead || why == Told::Why::kCancelled)
            for (const auto& flight : flights_)
                if (auto told = flight.told.lock()) all.push_back(std::move(told));
    }
    for (const auto& told : all) told->tell(why);
}

ProtocolSession::Use ProtocolSession::use() const {
    const std::lock_guard lock(mutex_);
    if (!flights_.empty()) return Use::kCalls;
    return streams_.empty() ? Use::kNothing : Use::kStreams;
}

std::list<ProtocolSessionPtr>::iterator ProtocolSessions::least_used(Owned& owned) {
    auto found = owned.sessions.end();
    auto least = ProtocolSession::Use::kCalls;
    for (auto it = owned.sessions.end(); it != owned.sessions.begin();) {
        if (const auto use = (*--it)->use(); use < least) {
            found = it;
            least = use;
        }
    }
    return found;
}

Result<ProtocolSessionPtr> ProtocolSessions::mint(const identity::SessionPtr& owner, Terms terms) {
    auto session = std::make_shared<ProtocolSession>(to_base64url(random_bytes(kIdBytes)), owner,
                                                     std::move(terms));
    ProtocolSessionPtr gone;  // told outside the lock
    {
        const std::lock_guard lock(mutex_);
        if (table_.size() >= prune_at_) prune();
        auto& owned = table_[owner->id];
        owned.owner = owner;
        if (owned.sessions.size() >= kMaxProtocolSessions) {
            const auto least = least_used(owned);
            if (least == owned.sessions.end())
                return fail(ErrorCode::kExhausted,
                            fmt::format("{} protocol sessions have calls in flight; wait for some "
                                        "to end",
                                        owned.sessions.size()));
            gone = std::move(*least);
            owned.sessions.erase(least);
        }
        owned.sessions.push_front(session);
    }
    if (gone) gone->tell_all(Told::Why::kDead);
    return session;
}

void ProtocolSessions::prune() {
    std::erase_if(table_, [](const auto& entry) {
        const auto owner = entry.second.owner.lock();
        return !owner || owner->ended.load() ||
               owner->task->state.load() != identity::TaskState::kLive;
    });
    prune_at_ = std::max<std::size_t>(1024, 2 * table_.size());
}

std::list<ProtocolSessionPtr>::iterator ProtocolSessions::find_in(Owned& owned, std::string_view id,
                                                                  std::string_view server) {
    return std::ranges::find_if(owned.sessions, [&](const ProtocolSessionPtr& session) {
        return constant_time_equal(as_bytes(session->id()), as_bytes(id)) &&
               session->terms().server == server;
    });
}

ProtocolSessionPtr ProtocolSessions::find(const SessionId& owner, std::string_view id,
                                          std::string_view server) {
    const std::lock_guard lock(mutex_);
    const auto entry = table_.find(owner);
    if (entry == table_.end()) return nullptr;
    auto& sessions = entry->second.sessions;
    const auto it = find_in(entry->second, id, server);
    if (it == sessions.end()) return nullptr;
    if (it != sessions.begin()) sessions.splice(sessions.begin(), sessions, it);
    return sessions.front();
}

bool ProtocolSessions::end(const SessionId& owner, std::string_view id, std::string_view server) {
    ProtocolSessionPtr gone;
    {
        const std::lock_guard lock(mutex_);
        const auto entry = table_.find(owner);
        if (entry == table_.end()) return false;
        auto& sessions = entry->second.sessions;
        const auto it = find_in(entry->second, id, server);
        if (it == sessions.end()) return false;
        gone = std::move(*it);
        sessions.erase(it);
        if (sessions.empty()) table_.erase(entry);
    }
    gone->tell_all(Told::Why::kDead);
    return true;
}

void ProtocolSessions::forget(const SessionId& owner) {
    std::list<ProtocolSessionPtr> gone;
    {
        const std::lock_guard lock(mutex_);
        const auto entry = table_.find(owner);
        if (entry == table_.end()) return;
        gone = std::move(entry->second.sessions);
        table_.erase(entry);
    }
    for (const auto& session : gone) session->tell_all(Told::Why::kDead);
}

std::size_t ProtocolSessions::size() const {
    const std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (const auto& [owner, owned] : table_) n += owned.sessions.size();
    return n;
}

bool ProtocolSessions::watch(const ProtocolSessionPtr& session) {
    // OPTIMIZATION: one load a call while the session stays busy.
    if (session->watched_.load(std::memory_order_acquire)) return false;
    const std::lock_guard lock(mutex_);
    if (session->watched_.exchange(true)) return false;
    active_.push_back(session);
    return active_.size() == 1;
}

std::size_t ProtocolSessions::sweep(std::int64_t boot_us, std::optional<Told::Why> news) {
    std::vector<ProtocolSessionPtr> tell;
    std::vector<ProtocolSessionPtr> dead;
    std::size_t left = 0;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(active_, [&](const ProtocolSessionPtr& session) {
            if (!session->busy()) {
                // Something may begin right now: it sees `watched_` false, or it is seen here.
                session->watched_.store(false);
                if (!session->busy()) return true;
                session->watched_.store(true);
            }
            if (!session->owner()->live(boot_us)) {
                dead.push_back(session);
            } else if (news) {
                tell.push_back(session);
            }
            return false;
        });
        left = active_.size();
    }
    for (const auto& session : dead) session->tell_all(Told::Why::kDead);
    for (const auto& session : tell) session->tell_all(*news);
    return left;
}

}  // namespace writ::mcp

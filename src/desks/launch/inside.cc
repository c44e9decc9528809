#include "desks/launch/inside.h"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace writ::launch {
namespace {

json::Node node_of(const Process& process) {
    json::Node out = json::Node::array();
    out.push_back(process.pid);
    out.push_back(static_cast<std::int64_t>(process.start));
    return out;
}

std::optional<Process> process_of(const json::Value& kin, std::string_view name) {
    const auto pair = kin.find(name);
    if (!pair || !pair->is_array() || pair->size() != 2) return std::nullopt;
    std::vector<std::int64_t> numbers;
    for (const json::Value each : pair->elements()) numbers.push_back(each.as_i64().value_or(-1));
    if (numbers[0] < 0 || numbers[0] > INT32_MAX || numbers[1] < 0) return std::nullopt;
    return Process{static_cast<pid_t>(numbers[0]), static_cast<std::uint64_t>(numbers[1])};
}

void take_out(std::multiset<Process>& from, const Process& one) {
    if (const auto at = from.find(one); at != from.end()) from.erase(at);
}

bool has_exited(const net::Peer& peer) {
    if (!peer.pidfd) return false;  // the kernel did not give one: only /proc tells
    pollfd exited{peer.pidfd->get(), POLLIN, 0};
    return poll(&exited, 1, 0) > 0;
}

}  // namespace

json::Node Kin::to_json() const {
    json::Node out = json::Node::object();
    out["agent"] = node_of(agent);
    out["launcher"] = node_of(launcher);
    return out;
}

Result<Kin> Kin::from_json(const json::Value& value) {
    const auto agent = process_of(value, "agent");
    const auto launcher = process_of(value, "launcher");
    if (!agent || !launcher) return fail(ErrorCode::kCorrupt, "no processes of a session");
    return Kin{*agent, *launcher};
}

Result<Kin> Kin::from_binding(std::string_view bound_to) {
    constexpr std::string_view kPid = "pid:";
    Kin out;
    const char* const end = bound_to.data() + bound_to.size();
    if (bound_to.starts_with(kPid)) {
        const auto pid = std::from_chars(bound_to.data() + kPid.size(), end, out.agent.pid);
        if (pid.ec == std::errc() && pid.ptr != end && *pid.ptr == '@') {
            const auto start = std::from_chars(pid.ptr + 1, end, out.agent.start);
            if (start.ec == std::errc() && out.agent.pid > 1) return out;
        }
    }
    return fail(ErrorCode::kInvalid, "the binding names no process");
}

Inside::Inside(net::Reactor& reactor) : reactor_(reactor), lookout_(std::make_shared<Lookout>()) {}

void Inside::add(const SessionId& session, const Kin& kin) {
    remove(session);
    kin_.emplace(session, kin);
    agents_.insert(kin.agent);
    launchers_.insert(kin.launcher);
}

void Inside::remove(const SessionId& session) {
    const auto at = kin_.find(session);
    if (at == kin_.end()) return;
    take_out(agents_, at->second.agent);
    take_out(launchers_, at->second.launcher);
    kin_.erase(at);
}

const Kin* Inside::find(const SessionId& session) const {
    const auto at = kin_.find(session);
    return at == kin_.end() ? nullptr : &at->second;
}

bool Inside::any_of(const std::vector<Process>& lineage) const {
    for (std::size_t i = 0; i < lineage.size(); ++i)
        if (agents_.contains(lineage[i]) || (i > 0 && launchers_.contains(lineage[i]))) return true;
    return false;
}

net::Task<Result<bool>> Inside::holds(net::Peer peer) {
    if (!peer.pid) co_return true;
    if (kin_.empty()) co_return false;
    auto look = [lookout = lookout_, pid = *peer.pid] {
        Result<std::vector<Process>> out;
        lookout->run([&] { out = lineage(pid); });
        return out;
    };
    auto looking = reactor_.offload(std::move(look));
    const auto found = co_await std::move(looking);
    if (!found && found.error().code == ErrorCode::kUnavailable) co_return fail(found.error());
    if (!found) co_return true;
    // What was looked at is the peer only if the peer is still there: its number could be
    // another's.
    if (has_exited(peer)) co_return true;
    co_return any_of(*found);
}

net::Task<std::vector<SessionId>> Inside::gone(std::vector<SessionId> sessions) {
    std::vector<Process> processes;
    for (const SessionId& session : sessions) {
        const Kin* kin = find(session);
        if (kin == nullptr) continue;
        processes.push_back(kin->agent);
        if (kin->launcher.pid != 0) processes.push_back(kin->launcher);
    }
    auto look = [lookout = lookout_, all = std::move(processes)]() mutable {
        lookout->run([&] { std::erase_if(all, [](const Process& one) { return !is_gone(one); }); });
        return std::move(all);
    };
    auto looking = reactor_.offload(std::move(look));
    auto found = co_await std::move(looking);
    const std::set<Process> dead(found.begin(), found.end());
    std::erase_if(sessions, [&](const SessionId& session) {
        const Kin* kin = find(session);
        if (kin == nullptr) return true;
        return !dead.contains(kin->agent) ||
               (kin->launcher.pid != 0 && !dead.contains(kin->launcher));
    });
    co_return sessions;
}

}  // namespace writ::launch

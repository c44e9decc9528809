#include "net/resolver.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "net/asio_impl.h"

namespace writ::net {

struct Resolver::State {
    using Key = std::pair<std::string, std::uint16_t>;
    using Answer = Promise<Result<Addresses>>;
    struct Waiting {
        std::uint64_t number;
        Answer answer;
    };
    struct Kept {
        Addresses addresses;
        TimePoint until;
    };
    explicit State(Lookup l) : lookup(std::move(l)) {}

    const Lookup lookup;
    std::mutex mutex;  // guards what follows; held for moments
    std::map<Key, std::vector<Waiting>> running;
    std::map<Key, Kept> kept;
    std::uint64_t newest = 0;

    void keep(const Key& key, const Addresses& addresses);
    void answer(const Key& key, const Result<Addresses>& found);
    void forget(const Key& key, std::uint64_t number);
};

namespace {

Result<Addresses> ask_system(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (failed != 0)
        return fail(ErrorCode::kUnavailable,
                    fmt::format("cannot resolve `{}`: {}", host, gai_strerror(failed)));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
    Addresses out;
    for (const addrinfo* each = found; each != nullptr && out.size() < kMaxAddresses;
         each = each->ai_next)
        if (auto address = Address::of_sockaddr(each->ai_addr, each->ai_addrlen, port))
            out.push_back(*address);
    if (out.empty()) return fail(ErrorCode::kUnavailable, fmt::format("`{}` has no address", host));
    return out;
}

// False if the system has no thread left. Signals are for the threads that ask for them.
bool start_thread(std::function<void()> work) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
        std::thread([work = std::move(work)] {
            name_this_thread("writ-resolver");
            work();
        }).detach();
    } catch (const std::system_error&) {
        started = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
}

}  // namespace

// Under the mutex.
void Resolver::State::keep(const Key& key, const Addresses& addresses) {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(kept, [now](const auto& each) { return each.second.until <= now; });
    if (kept.size() < kMaxResolved) kept[key] = {addresses, now + kResolvedFor};
}

void Resolver::State::answer(const Key& key, const Result<Addresses>& found) {
    std::vector<Waiting> waiting;
    {
        const std::lock_guard lock(mutex);
        if (found) keep(key, *found);
        waiting = std::move(running.extract(key).mapped());
    }
    for (const auto& each : waiting) each.answer.set(found);
}

void Resolver::State::forget(const Key& key, std::uint64_t number) {
    const std::lock_guard lock(mutex);
    if (const auto of_key = running.find(key); of_key != running.end())
        std::erase_if(of_key->second, [number](const auto& each) { return each.number == number; });
}

Resolver::Resolver(Lookup lookup) : state_(std::make_shared<State>(std::move(lookup))) {}

Task<Result<Addresses>> Resolver::resolve(Reactor* reactor, std::string host, std::uint16_t port,
                                          Deadline deadline) {
    const std::shared_ptr<State> state = state_;
    const State::Key key{std::move(host), port};
    const State::Answer answer(*reactor);
    std::uint64_t number = 0;
    bool first = false;
    {
        const std::lock_guard lock(state->mutex);
        if (const auto kept = state->kept.find(key);
            kept != state->kept.end() && std::chrono::steady_clock::now() < kept->second.until)
            co_return kept->second.addresses;
        first = !state->running.contains(key);
        if (first && state->running.size() >= kMaxLookups)
            co_return fail(ErrorCode::kExhausted,
                           fmt::format("cannot resolve `{}`: {} other names are being looked up "
                                       "(kMaxLookups)",
                                       key.first, kMaxLookups));
        number = ++state->newest;
        state->running[key].push_back({number, answer});
    }
    if (first) {
        auto look_up = [state, key] { state->answer(key, state->lookup(key.first, key.second)); };
        if (!start_thread(std::move(look_up)))
            state->answer(key,
                          fail(ErrorCode::kExhausted, "the system has no thread for a lookup"));
    }
    boost::asio::steady_timer late(reactor->impl().io, deadline);
    late.async_wait([answer, host = key.first](const boost::system::error_code& ec) {
        if (ec) return;
        answer.set(
            fail(ErrorCode::kTimeout, fmt::format("cannot resolve `{}`: no answer in time", host)));
    });
    auto found = co_await answer.wait();
    late.cancel();
    state->forget(key, number);
    co_return found;
}

const std::shared_ptr<Resolver>& Resolver::of_process() {
    // Never destroyed: lookups may go on to the end of the process.
    static const auto* const ours =
        new std::shared_ptr<Resolver>(std::make_shared<Resolver>(ask_system));
    return *ours;
}

}  // namespace writ::net

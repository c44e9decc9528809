#include "net/child.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "net/asio_impl.h"
#include "net/child_process.h"

namespace writ::net {
namespace {

constexpr std::size_t kStderrTailBytes = 64 << 10;
constexpr std::size_t kReadBytes = 64 << 10;
// Lines handed out of one read before others have a turn: a read may hold as many as it has bytes.
constexpr std::size_t kLinesAtOnce = 64;
// How often a child that was let go is looked at, and what it wrote thrown away.
constexpr Millis kLingerTurn{20};
// How often the end of all of them is.
constexpr Millis kFarewellTurn{5};
// Lines waiting for a child that does not read: each may be as large as a request body.
constexpr std::size_t kQueuedLinesMax = 256;

// What the Child, its running operations and its background share.
struct Shared {
    explicit Shared(Reactor& r) : reactor(r), mailbox(r.mailbox()), writers(r), readers(r) {}
    Reactor& reactor;
    const std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<Poll> in;
    std::shared_ptr<Poll> out;
    std::shared_ptr<Poll> error;
    Turnstile writers;
    Turnstile readers;
    std::string buffered;           // of stdout; up to `taken` it is handed out
    std::size_t taken = 0;          // cut off once per read, not once per line
    std::size_t searched = 0;       // of buffered: no newline from `taken` up to here
    std::size_t lines_at_once = 0;  // since others had a turn
    std::string stderr_tail;
    std::string exited;
    bool broken_in = false;   // a line reached the pipe in part
    bool broken_out = false;  // a line was too long
    bool ended_out = false;
    bool let_go = false;  // its Child is gone
};

using SharedPtr = std::shared_ptr<Shared>;

Status gone(const Shared& shared) {
    return fail(ErrorCode::kUnavailable,
                shared.exited.empty() ? "the child closed its end"
                                      : fmt::format("the child has ended: {}", shared.exited));
}

Task<Status> write_line_of(SharedPtr shared, std::string line, TimePoint deadline) {
    if (line.find('\n') != std::string::npos)
        co_return fail(ErrorCode::kInvalid, "a line contains a newline");
    if (shared->writers.waiting() >= kQueuedLinesMax)
        co_return fail(ErrorCode::kExhausted, "too many lines wait for the child");
    line += '\n';
    co_await shared->writers.enter();
    const Turn held(shared->writers);
    std::size_t done = 0;
    while (done < line.size()) {
        if (!shared->in->is_open() || shared->broken_in || !shared->exited.empty())
            co_return gone(*shared);
        const ssize_t sent = write(shared->in->fd(), line.data() + done, line.size() - done);
        if (sent >= 0) {
            done += static_cast<std::size_t>(sent);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) co_return gone(*shared);
        const Ready ready = co_await shared->in->writable(deadline);
        if (ready == Ready::kClosed) co_return gone(*shared);
        if (ready == Ready::kTimeout) {
            // The rest of the line would arrive as a line of its own.
            shared->broken_in = done > 0;
            co_return fail(ErrorCode::kTimeout, "the child read nothing in time");
        }
    }
    co_return Status();
}

// The first whole line of what is buffered.
bool take_line(Shared& shared, std::string& line) {
    const auto end = shared.buffered.find('\n', shared.searched);
    if (end == std::string::npos) {
        shared.searched = shared.buffered.size();
        return false;
    }
    line = shared.buffered.substr(shared.taken, end - shared.taken);
    shared.taken = shared.searched = end + 1;
    return true;
}

// Reads once without waiting. False if nothing is there.
bool slurp_out(Shared& shared) {
    std::array<char, kReadBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    ssize_t got = 0;
    shared.buffered.erase(0, shared.taken);
    shared.searched -= shared.taken;
    shared.taken = 0;
    do got = read(shared.out->fd(), buffer.data(), buffer.size());
    while (got < 0 && errno == EINTR);
    if (got > 0) shared.buffered.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EAGAIN)) shared.ended_out = true;
    return got >= 0;
}

Task<Result<std::string>> read_line_of(SharedPtr shared, std::size_t bytes_max,
                                       TimePoint deadline) {
    co_await shared->readers.enter();
    const Turn held(shared->readers);
    for (;;) {
        if (shared->lines_at_once >= kLinesAtOnce) {
            shared->lines_at_once = 0;
            co_await shared->out->reactor().sleep(Millis(0));
        }
        if (shared->broken_out || shared->let_go || !shared->out->is_open())
            co_return fail(gone(*shared).error());
        std::string line;
        const bool whole = take_line(*shared, line);
        if ((whole ? line.size() : shared->buffered.size() - shared->taken) > bytes_max) {
            shared->broken_out = true;
            shared->buffered = std::string();
            shared->taken = shared->searched = 0;
            co_return fail(ErrorCode::kTooLarge,
                           fmt::format("the child wrote a line of more than {} bytes", bytes_max));
        }
        if (whole) {
            ++shared->lines_at_once;
            co_return std::move(line);
        }
        if (shared->ended_out) co_return fail(gone(*shared).error());
        if (!shared->exited.empty()) {
            // What it left in the pipe is still read. Its descendants may hold the pipe open for
            // ever; nobody answers for them.
            if (slurp_out(*shared)) continue;
            co_return fail(gone(*shared).error());
        }
        // Waiting before every read lets others run, however fast the child writes.
        const Ready ready = co_await shared->out->readable(deadline);
        if (ready == Ready::kTimeout)
            co_return fail(ErrorCode::kTimeout, "the child wrote no line in time");
        if (ready == Ready::kClosed) co_return fail(gone(*shared).error());
        shared->lines_at_once = 0;
        slurp_out(*shared);
    }
}

// Keeps the last of the child's stderr until it ends.
Task<void> keep_stderr(SharedPtr shared) {
    std::string buffer(4096, '\0');
    for (;;) {
        const Ready ready = co_await shared->error->readable(TimePoint::max());
        if (ready == Ready::kClosed) break;
        const ssize_t got = read(shared->error->fd(), buffer.data(), buffer.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) break;
        std::string& tail = shared->stderr_tail;
        tail.append(buffer.data(), static_cast<std::size_t>(got));
        // OPTIMIZATION: cut at twice the bound, so that bytes are moved once per 64 KiB.
        if (tail.size() > 2 * kStderrTailBytes) tail.erase(0, tail.size() - kStderrTailBytes);
    }
    shared->error->close();
}

// Until a child that was let go has exited, or its reactor ends: a pipe that is closed or full
// would end it, or hold it up, while it tidies up. No more than one read a turn, however fast it
// writes.
Task<void> linger(SharedPtr shared) {
    while (shared->exited.empty()) {
        if (!shared->ended_out) slurp_out(*shared);
        shared->buffered.clear();
        shared->taken = shared->searched = 0;
        co_await shared->reactor.sleep(kLingerTurn);
    }
    shared->out->close();
    shared->error->close();
}

class PipeChild final : public Child {
  public:
    PipeChild(SharedPtr shared, Custody custody)
        : shared_(std::move(shared)), custody_(std::move(custody)) {}
    ~PipeChild() override {
        shared_->let_go = true;
        shared_->in->close();
        // Its reactor may be ending; then the pipes close with the last that holds them.
        shared_->mailbox->post([shared = shared_] {
            shared->out->wake_reader();
            shared->reactor.spawn(linger(shared));
        });
    }
    pid_t pid() const override { return custody_->pid(); }
    Task<Status> write_line(std::string line, Millis timeout) override {
        return write_line_of(shared_, std::move(line), deadline_in(timeout));
    }
    Task<Result<std::string>> read_line(std::size_t bytes_max, Millis timeout) override {
        return read_line_of(shared_, bytes_max, deadline_in(timeout));
    }
    std::string stderr_tail() const override {
        const std::string& tail = shared_->stderr_tail;
        return tail.size() <= kStderrTailBytes ? tail : tail.substr(tail.size() - kStderrTailBytes);
    }
    std::string exited() const override { return shared_->exited; }
    void kill() override { custody_->signal(SIGKILL); }

  private:
    SharedPtr shared_;
    Custody custody_;
};

void on_exit(const std::shared_ptr<Mailbox>& mailbox, const std::weak_ptr<Shared>& weak,
             std::string how) {
    mailbox->post([weak, how = std::move(how)] {
        const SharedPtr shared = weak.lock();
        if (!shared) return;
        shared->exited = how;
        if (shared->out) shared->out->wake_reader();
        if (shared->in) shared->in->close();
    });
}

}  // namespace

Task<Result<std::unique_ptr<Child>>> Child::spawn(Reactor& reactor, ChildSpec spec) {
    auto shared = std::make_shared<Shared>(reactor);
    auto work = [spec = std::move(spec), mailbox = reactor.mailbox(),
                 weak = std::weak_ptr<Shared>(shared)] {
        auto exit = [mailbox, weak, ticket = spec.ticket](std::string how) {
            on_exit(mailbox, weak, std::move(how));
        };
        return std::make_shared<Result<Started>>(start_child(spec, std::move(exit)));
    };
    const auto started = co_await reactor.offload(std::move(work));
    if (!*started) co_return fail(started->error());
    Started& child = **started;
    for (auto [fd, poll] : {std::pair{&child.in, &shared->in}, std::pair{&child.out, &shared->out},
                            std::pair{&child.error, &shared->error}}) {
        auto opened = Poll::open(reactor, std::move(*fd));
        if (!opened) co_return fail(opened.error());
        *poll = *opened;
    }
    reactor.spawn(keep_stderr(shared));
    co_return std::make_unique<PipeChild>(std::move(shared), std::move(child.custody));
}

Task<void> Child::farewell(Reactor& reactor, Millis patience) {
    const TimePoint end = deadline_in(patience);
    hurry_children(deadline_in(patience / 2), end);
    while (children_ending() > 0 && std::chrono::steady_clock::now() < end)
        co_await reactor.sleep(kFarewellTurn);
}

}  // namespace writ::net

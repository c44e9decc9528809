#include "evidence/exporter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "evidence/files.h"
#include "net/http_peer.h"
#include "net/http_url.h"

namespace writ::evidence {

namespace {

constexpr std::chrono::milliseconds kLookEvery{500};
constexpr std::chrono::milliseconds kFirstPause{1'000};
constexpr std::chrono::milliseconds kLongestPause{60'000};
constexpr net::Millis kExportTimeout{10'000};
// What a receiver says is read so that the connection can be used again, and thrown away.
constexpr std::size_t kMaxReceiverAnswer = 64 << 10;

// Where batches go. Used on the exporter's thread only.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual Status deliver(const ExportBatch& batch) = 0;
};

class FileSink final : public Sink {
  public:
    explicit FileSink(std::string file) : file_(std::move(file)) {}
    Status deliver(const ExportBatch& batch) override {
        // Opened anew each time, so that a rotated file is left alone.
        const Fd fd(::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
        if (!fd.valid()) return fail(io_error("cannot open `" + file_ + "`", errno));
        std::string_view rest = batch.body;
        while (!rest.empty()) {
            const auto n = ::write(fd.get(), rest.data(), rest.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail(io_error("cannot write `" + file_ + "`", errno));
            rest.remove_prefix(static_cast<std::size_t>(n));
        }
        if (::fdatasync(fd.get()) != 0) return fail(io_error("sync `" + file_ + "`", errno));
        return {};
    }

  private:
    const std::string file_;
};

class HttpSink final : public Sink {
  public:
    HttpSink(std::unique_ptr<net::HttpPeer> peer, const ExportSpec& spec)
        : peer_(std::move(peer)), spec_(spec) {}

    Status deliver(const ExportBatch& batch) override {
        net::Headers fields;
        fields.add("Content-Type", std::string(content_type(spec_.format)));
        // The same batch has the same key, so that a receiver can drop the second copy.
        fields.add("Idempotency-Key",
                   fmt::format("{}-{}", batch.first, batch.after.leaf.substr(7, 16)));
        const auto token = bearer();
        if (!token) return fail(token.error());
        if (!token->empty()) fields.add("Authorization", "Bearer " + *token);
        const auto answer = peer_->ask("POST", peer_->url().target, fields, batch.body,
                                       kExportTimeout, kMaxReceiverAnswer);
        if (!answer) return fail(answer.error());
        if (answer->status >= 200 && answer->status < 300) return {};
        return fail(ErrorCode::kUnavailable,
                    fmt::format("{} answered {}", peer_->url().origin(), answer->status));
    }

  private:
    Result<std::string> bearer() const {
        std::string token;
        if (!spec_.bearer_env.empty()) {
            const char* value = std::getenv(spec_.bearer_env.c_str());
            if (value == nullptr || *value == '\0') {
                return fail(ErrorCode::kInvalid,
                            fmt::format("the environment variable `{}` with the token is not set",
                                        spec_.bearer_env));
            }
            token = value;
        } else if (!spec_.token_file.empty()) {
            std::ifstream in(spec_.token_file);
            if (!std::getline(in, token) || token.empty()) {
                return fail(ErrorCode::kIo,
                            fmt::format("cannot read the token in `{}`", spec_.token_file));
            }
        }
        return token;
    }

    const std::unique_ptr<net::HttpPeer> peer_;
    const ExportSpec spec_;
};

Result<std::unique_ptr<Sink>> make_sink(const ExportSpec& spec) {
    constexpr std::string_view kFile = "file:";
    if (spec.to.starts_with(kFile)) {
        return std::make_unique<FileSink>(spec.to.substr(kFile.size()));
    }
    auto url = net::Url::parse(spec.to);
    if (!url) return fail(url.error());
    net::HttpPoolOptions options;
    options.ca_file = spec.ca_file;
    auto peer = net::HttpPeer::make(std::move(*url), std::move(options));
    if (!peer) return fail(peer.error());
    return std::make_unique<HttpSink>(std::move(*peer), spec);
}

class ThreadExporter final : public Exporter {
  public:
    ThreadExporter(ExportSpec spec, std::filesystem::path log_dir, std::string vkey,
                   std::filesystem::path cursor)
        : spec_(std::move(spec)),
          log_dir_(std::move(log_dir)),
          vkey_(std::move(vkey)),
          cursor_file_(std::move(cursor)) {
        state_.name = spec_.name;
        state_.to = spec_.to;
        thread_ = std::thread([this] { loop(); });
    }
    ~ThreadExporter() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }
    ExporterState state() const override {
        const std::lock_guard lock(mutex_);
        return state_;
    }

  private:
    // The reactor of an HTTP sink lives on the thread that uses it.
    void loop() {
        auto pause = kFirstPause;
        std::unique_ptr<Sink> sink;
        while (true) {
            Result<std::uint64_t> sent = 0;
            if (!sink) {
                auto made = make_sink(spec_);
                if (made) sink = std::move(*made);
                if (!made) sent = fail(made.error());
            }
            if (sink) sent = step(*sink);
            if (sent) pause = kFirstPause;
            note(sent);
            const auto wait =
                sent ? (*sent > 0 ? std::chrono::milliseconds(0) : kLookEvery) : pause;
            if (!sent) pause = std::min(pause * 2, kLongestPause);
            std::unique_lock lock(mutex_);
            if (wake_.wait_for(lock, wait, [this] { return stop_; })) return;
        }
    }

    // How many events went out.
    Result<std::uint64_t> step(Sink& sink) {
        const auto log = ledger::LogReader::open(log_dir_, vkey_);
        if (!log && log.error().code == ErrorCode::kNotFound) return 0;  // nothing published yet
        if (!log) return fail(log.error());
        const LeafSource source = source_of(*log);
        if (!cursor_) {
            auto loaded = ExportCursor::load(cursor_file_, source.origin);
            if (!loaded) return fail(loaded.error());
            if (auto same = loaded->check(source); !same) return fail(same.error());
            cursor_ = std::move(*loaded);
        }
        {
            const std::lock_guard lock(mutex_);
            state_.next = cursor_->next;
            state_.behind = source.size - std::min(source.size, cursor_->next);
        }
        const auto batch = next_batch(source, *cursor_, spec_.format);
        if (!batch) return fail(batch.error());
        if (batch->events == 0) return 0;
        if (auto taken = sink.deliver(*batch); !taken) return fail(taken.error());
        cursor_ = batch->after;
        if (auto saved = cursor_->save(cursor_file_); !saved) return fail(saved.error());
        return batch->events;
    }

    void note(const Result<std::uint64_t>& sent) {
        const std::lock_guard lock(mutex_);
        if (sent) {
            if (!state_.error.empty()) log::info("export", "{}: works again", spec_.name);
            state_.error.clear();
            state_.retries = 0;
            state_.next += *sent;
            state_.delivered += *sent;
            if (*sent > 0) state_.delivered_us = SystemClock().now_us();
            state_.behind -= std::min(state_.behind, *sent);
            return;
        }
        const std::string error = sent.error().message();
        // One line a failure, not one a try.
        if (state_.error != error) {
            log::warn("export", "{}: {}; it is tried again and nothing is left out", spec_.name,
                      error);
        }
        state_.error = error;
        ++state_.retries;
        ++state_.failures;
    }

    const ExportSpec spec_;
    const std::filesystem::path log_dir_;
    const std::string vkey_;
    const std::filesystem::path cursor_file_;
    std::optional<ExportCursor> cursor_;  // of the thread
    mutable std::mutex mutex_;            // guards state_ and stop_
    std::condition_variable wake_;
    ExporterState state_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace

Status check_export(const ExportSpec& spec) {
    const bool name_ok =
        !spec.name.empty() && spec.name.size() <= 64 &&
        spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
    if (!name_ok) {
        return fail(ErrorCode::kInvalid, fmt::format("export name `{}`: write a-z, 0-9, - and _, "
                                                     "at most 64",
                                                     spec.name));
    }
    const auto wrong = [&](std::string_view what) {
        return fail(ErrorCode::kInvalid, fmt::format("export `{}`: {}", spec.name, what));
    };
    const bool has_token = !spec.token_file.empty() || !spec.bearer_env.empty();
    if (spec.to.starts_with("file:/")) {
        if (has_token || !spec.ca_file.empty()) {
            return wrong("`token_file`, `bearer_env` and `ca_file` are for http and https");
        }
        return {};
    }
    const auto url = net::Url::parse(spec.to);
    if (!url) return wrong(url.error().detail + ", or `file:/PATH`");
    if (!spec.token_file.empty() && !spec.bearer_env.empty()) {
        return wrong("one of `token_file` and `bearer_env`, not both");
    }
    if (!url->tls && !spec.ca_file.empty()) return wrong("`ca_file` is for https");
    return {};
}

Result<std::unique_ptr<Exporter>> Exporter::start(ExportSpec spec, std::filesystem::path log_dir,
                                                  std::string vkey, std::filesystem::path cursor) {
    if (auto ok = check_export(spec); !ok) return fail(ok.error());
    if (auto made = make_private_dir(cursor.parent_path()); !made) return fail(made.error());
    return std::make_unique<ThreadExporter>(std::move(spec), std::move(log_dir), std::move(vkey),
                                            std::move(cursor));
}

}  // namespace writ::evidence

#include "cli/http_source.h"

#include <fmt/format.h>

#include <map>
#include <mutex>

#include "base/inert.h"

namespace writ::cli {
namespace {

constexpr net::Millis kTileTimeout{30'000};
// "Witness timeout 1 s": the log has others to ask, and the next round comes soon.
constexpr net::Millis kWitnessTimeout{1'000};
// A witness answers with signature lines, or a checkpoint.
constexpr std::size_t kMaxWitnessAnswer = 256 << 10;

class HttpWitnessClient final : public ledger::WitnessClient {
  public:
    explicit HttpWitnessClient(std::string ca_file) : ca_file_(std::move(ca_file)) {}
    Result<ledger::WitnessReply> post(const std::string& url, std::string body) override {
        return ask(url, "POST", std::move(body));
    }
    Result<ledger::WitnessReply> get(const std::string& url) override {
        return ask(url, "GET", "");
    }

  private:
    // One server, and its certificates read once.
    struct Way {
        std::mutex mutex;  // guards peer, for the whole of a request
        std::unique_ptr<net::HttpPeer> peer;
    };

    Way& way_to(const std::string& origin) {
        const std::lock_guard lock(mutex_);
        auto& way = ways_[origin];
        if (!way) way = std::make_unique<Way>();
        return *way;
    }

    Result<ledger::WitnessReply> ask(const std::string& url, const std::string& method,
                                     std::string body) {
        auto parsed = net::Url::parse(url);
        if (!parsed) return fail(parsed.error());
        Way& way = way_to(parsed->origin());
        const std::lock_guard lock(way.mutex);
        if (!way.peer) {
            net::HttpPoolOptions options;
            options.connect_timeout = kWitnessTimeout;
            if (parsed->tls) options.ca_file = ca_file_;
            auto made = net::HttpPeer::make(*parsed, std::move(options));
            if (!made) return fail(made.error());
            way.peer = std::move(*made);
        }
        auto answer = way.peer->ask(method, parsed->target, {}, std::move(body), kWitnessTimeout,
                                    kMaxWitnessAnswer);
        if (!answer) return fail(answer.error());
        return ledger::WitnessReply{answer->status, std::move(answer->body)};
    }

    const std::string ca_file_;
    std::mutex mutex_;  // guards ways_; as many as the policy has witnesses
    std::map<std::string, std::unique_ptr<Way>> ways_;
};

}  // namespace

Result<net::Url> parse_prefix(std::string_view url) {
    auto out = net::Url::parse(url);
    if (!out) return out;
    while (out->target.ends_with('/')) out->target.pop_back();
    if (out->target.find('?') != std::string::npos)
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` is not a prefix: it has a query", inert(url, 200)));
    return out;
}

Result<std::unique_ptr<HttpSource>> HttpSource::open(net::Url url, const std::string& ca_file) {
    net::HttpPoolOptions options;
    if (url.tls) options.ca_file = ca_file;
    auto peer = net::HttpPeer::make(std::move(url), std::move(options));
    if (!peer) return fail(peer.error());
    return std::unique_ptr<HttpSource>(new HttpSource(std::move(*peer)));
}

HttpSource::~HttpSource() = default;

Result<std::string> HttpSource::get(const std::string& path, std::size_t bytes_max) {
    auto response =
        peer_->ask("GET", peer_->url().target + "/" + path, {}, "", kTileTimeout, bytes_max);
    if (!response) return fail(response.error().in("`" + path + "`"));
    if (response->status == 404 || response->status == 410)
        return fail(
            ErrorCode::kNotFound,
            fmt::format("`{}`: {}", path, response->status == 410 ? "pruned there" : "not there"));
    if (response->status != 200)
        return fail(ErrorCode::kUnavailable,
                    fmt::format("`{}`: answered {}", path, response->status));
    return std::move(response->body);
}

std::shared_ptr<ledger::WitnessClient> http_witness_client(std::string ca_file) {
    return std::make_shared<HttpWitnessClient>(std::move(ca_file));
}

}  // namespace writ::cli

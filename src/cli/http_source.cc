#include "cli/http_source.h"

#include <fmt/format.h>

#include "base/inert.h"

namespace writ::cli {
namespace {

constexpr net::Millis kTileTimeout{30'000};
// "Witness timeout 1 s": the log has others to ask, and the next round comes soon.
constexpr net::Millis kWitnessTimeout{1'000};

net::Task<Result<net::HttpResponse>> talk(net::HttpClient* client, net::HttpRequest request,
                                          net::Millis timeout) {
    co_return co_await client->request(std::move(request), timeout);
}

Result<ledger::WitnessReply> ask(const std::string& url, std::string method, std::string body) {
    auto parsed = HttpUrl::parse(url);
    if (!parsed) return fail(parsed.error());
    net::Reactor reactor;
    net::HttpClient client(reactor, parsed->endpoint);
    net::HttpRequest request;
    request.method = std::move(method);
    request.target = parsed->path;
    request.body = std::move(body);
    auto response = reactor.run_until(talk(&client, std::move(request), kWitnessTimeout));
    if (!response) return fail(response.error());
    return ledger::WitnessReply{response->status, std::move(response->body)};
}

class HttpWitnessClient final : public ledger::WitnessClient {
  public:
    Result<ledger::WitnessReply> post(const std::string& url, std::string body) override {
        return ask(url, "POST", std::move(body));
    }
    Result<ledger::WitnessReply> get(const std::string& url) override {
        return ask(url, "GET", "");
    }
};

}  // namespace

Result<HttpUrl> HttpUrl::parse(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme))
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` does not begin with http://: TLS is not offered here, put a "
                                "proxy on the loopback interface in front",
                                inert(url, 200)));
    const std::string_view rest = url.substr(kScheme.size());
    const auto slash = std::min(rest.find('/'), rest.size());
    auto endpoint = net::Endpoint::parse(rest.substr(0, slash));
    if (!endpoint) return fail(endpoint.error());
    HttpUrl out{std::move(*endpoint), std::string(rest.substr(slash))};
    while (out.path.ends_with('/')) out.path.pop_back();
    for (const char c : out.path)
        if (c <= ' ' || c == '?' || c == '#' || static_cast<unsigned char>(c) >= 0x7f)
            return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a prefix", inert(url, 200)));
    return out;
}

struct HttpSource::Impl {
    explicit Impl(HttpUrl u) : url(std::move(u)), client(reactor, url.endpoint) {}
    HttpUrl url;
    net::Reactor reactor;
    net::HttpClient client;
};

HttpSource::HttpSource(HttpUrl url) : impl_(std::make_unique<Impl>(std::move(url))) {}
HttpSource::~HttpSource() = default;

Result<std::string> HttpSource::get(const std::string& path, std::size_t bytes_max) {
    net::HttpRequest request;
    request.method = "GET";
    request.target = impl_->url.path + "/" + path;
    auto response =
        impl_->reactor.run_until(talk(&impl_->client, std::move(request), kTileTimeout));
    if (!response) return fail(response.error());
    if (response->status == 404 || response->status == 410)
        return fail(
            ErrorCode::kNotFound,
            fmt::format("`{}`: {}", path, response->status == 410 ? "pruned there" : "not there"));
    if (response->status != 200)
        return fail(ErrorCode::kUnavailable,
                    fmt::format("`{}`: answered {}", path, response->status));
    if (response->body.size() > bytes_max)
        return fail(ErrorCode::kTooLarge, fmt::format("`{}` is too large", path));
    return std::move(response->body);
}

std::shared_ptr<ledger::WitnessClient> http_witness_client() {
    return std::make_shared<HttpWitnessClient>();
}

}  // namespace writ::cli

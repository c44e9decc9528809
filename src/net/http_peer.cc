#include "net/http_peer.h"

#include <chrono>
#include <utility>

namespace writ::net {
namespace {

Task<Result<HttpPeer::Answer>> exchange(HttpCallPtr call, HttpHeadPtr head, std::string body,
                                        Deadline deadline, std::size_t bytes_max) {
    auto begun = co_await call->begin(std::move(head), std::move(body), deadline, {});
    if (!begun) co_return fail(begun.error());
    HttpPeer::Answer out;
    out.status = call->status();
    auto rest = co_await call->read_all(bytes_max, deadline);
    if (!rest) co_return fail(rest.error());
    out.body = std::move(*rest);
    co_return out;
}

}  // namespace

Result<std::unique_ptr<HttpPeer>> HttpPeer::make(Url url, HttpPoolOptions options) {
    std::unique_ptr<HttpPeer> out(new HttpPeer(std::move(url)));
    auto pool = HttpPool::make(out->reactor_, out->url_, std::move(options));
    if (!pool) return fail(pool.error());
    out->pool_ = std::move(*pool);
    return out;
}

HttpPeer::~HttpPeer() = default;

Result<HttpPeer::Answer> HttpPeer::ask(const std::string& method, const std::string& target,
                                       const Headers& fields, std::string body, Millis timeout,
                                       std::size_t bytes_max) {
    auto head = HttpHead::make(method, target, pool_->authority(), fields);
    if (!head) return fail(head.error());
    auto task = exchange(pool_->call(), std::move(*head), std::move(body),
                         std::chrono::steady_clock::now() + timeout, bytes_max);
    return reactor_.run_until(std::move(task));
}

}  // namespace writ::net

// HTTP/1.1 towards one server for a thread of its own, which waits for the answer: exporters,
// witnesses, a log's tiles. Plain on loopback or TLS, over an HttpPool (http_pool.h) on a reactor
// that runs only while somebody waits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/http_pool.h"

namespace writ::net {

class HttpPeer {
  public:
    // Errors: kInvalid, kNotFound (the certificate file).
    static Result<std::unique_ptr<HttpPeer>> make(Url url, HttpPoolOptions options = {});
    ~HttpPeer();
    HttpPeer(const HttpPeer&) = delete;
    HttpPeer& operator=(const HttpPeer&) = delete;

    struct Answer {
        int status = 0;
        std::string body;
    };
    // One request and its whole answer. Nothing is sent twice, redirects are answers. `timeout`
    // bounds all of it. Errors: kInvalid (what cannot be sent, a malformed answer), kUnavailable,
    // kTimeout, kTooLarge (over `bytes_max`). Thread: any, one at a time; blocks.
    Result<Answer> ask(const std::string& method, const std::string& target, const Headers& fields,
                       std::string body, Millis timeout, std::size_t bytes_max);
    const Url& url() const { return url_; }

  private:
    explicit HttpPeer(Url url) : url_(std::move(url)) {}
    const Url url_;
    Reactor reactor_;
    std::shared_ptr<HttpPool> pool_;  // goes before its reactor
};

}  // namespace writ::net

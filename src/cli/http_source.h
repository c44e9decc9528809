// Plain HTTP to loopback, blocking, for what runs off the reactors: a log's tiles, and a witness.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "ledger/ledger.h"
#include "ledger/replica.h"
#include "net/http.h"

namespace writ::cli {

// `http://127.0.0.1:7421/log/default/gw-1` taken apart; `path` begins with a slash and does not end
// in one. Errors: kInvalid (another scheme, no loopback address; says what to do).
struct HttpUrl {
    net::Endpoint endpoint;
    std::string path;
    static Result<HttpUrl> parse(std::string_view url);
};

// One connection, kept alive. Thread: one at a time.
class HttpSource final : public ledger::LogSource {
  public:
    explicit HttpSource(HttpUrl url);
    ~HttpSource() override;
    // Errors: kNotFound (404, 410), kUnavailable, kTimeout, kTooLarge.
    Result<std::string> get(const std::string& path, std::size_t bytes_max) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The way to witnesses for ledger::Witnessing.
std::shared_ptr<ledger::WitnessClient> http_witness_client();

}  // namespace writ::cli

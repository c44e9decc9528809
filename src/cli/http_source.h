// HTTP, blocking, for what runs off the reactors: a log's tiles, and witnesses. Plain on loopback,
// TLS with verified names elsewhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "ledger/ledger.h"
#include "ledger/replica.h"
#include "net/http_peer.h"
#include "net/http_url.h"

namespace writ::cli {

// The prefix of a log or a witness: `http://127.0.0.1:7421/log/default/gw-1`, `https://w.example/`.
// Its target ends in no slash and has no query. Errors: kInvalid (says what to write).
Result<net::Url> parse_prefix(std::string_view url);

// One connection, kept alive. Thread: one at a time.
class HttpSource final : public ledger::LogSource {
  public:
    // `ca_file`: PEM certificates that are trusted instead of the system's. Errors: kNotFound,
    // kInvalid (the file).
    static Result<std::unique_ptr<HttpSource>> open(net::Url url, const std::string& ca_file);
    ~HttpSource() override;
    // Errors: kNotFound (404, 410), kUnavailable, kTimeout, kTooLarge.
    Result<std::string> get(const std::string& path, std::size_t bytes_max) override;

  private:
    explicit HttpSource(std::unique_ptr<net::HttpPeer> peer) : peer_(std::move(peer)) {}
    std::unique_ptr<net::HttpPeer> peer_;
};

// The way to witnesses for ledger::Witnessing. `ca_file` as above.
std::shared_ptr<ledger::WitnessClient> http_witness_client(std::string ca_file);

}  // namespace writ::cli

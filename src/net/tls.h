// TLS towards HTTP servers: OpenSSL 3 over our own non-blocking descriptors (net has its own way to
// wait, so Asio's TLS stream would be a second one). TLS 1.2 or newer, the peer's certificate and
// name are always verified; there is no switch to turn that off. OpenSSL stays in the .cc.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/asio_impl.h"

namespace writ::net {

// What a client trusts. Immutable; shared by connections and threads.
class TlsContext {
  public:
    // `ca_file`: PEM certificates that are trusted instead of the system's; empty: the system's.
    // Errors: kInvalid (the file holds no certificate), kNotFound, kInternal.
    static Result<std::shared_ptr<const TlsContext>> client(const std::string& ca_file);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

  private:
    friend class TlsSession;
    TlsContext() = default;
    void* context_ = nullptr;  // SSL_CTX
};

// One connection. Thread: the reactor's.
class TlsSession {
  public:
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    // Shakes hands over `poll` and verifies that the peer is `host` (a name or an address). Errors:
    // kUnavailable (with OpenSSL's reason), kTimeout, kCancelled.
    static Task<Result<std::unique_ptr<TlsSession>>> connect(
        std::shared_ptr<const TlsContext> context, std::shared_ptr<Poll> poll, std::string host,
        TimePoint deadline);

    // Bytes read; 0: the peer said goodbye; -1: nothing there now; -2: cut or broken.
    ssize_t read(char* to, std::size_t size);
    // Errors: kUnavailable, kTimeout, kCancelled. One at a time.
    static Task<Status> write(TlsSession* self, std::shared_ptr<Poll> poll, std::string bytes,
                              TimePoint deadline);

  private:
    TlsSession() = default;
    void* session_ = nullptr;                    // SSL
    std::shared_ptr<const TlsContext> context_;  // outlives it
};

}  // namespace writ::net

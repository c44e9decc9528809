#include "net/tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace writ::net {

namespace {

SSL_CTX* of(void* context) {
    return static_cast<SSL_CTX*>(context);
}
SSL* ssl(void* session) {
    return static_cast<SSL*>(session);
}

std::string reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
    return text == nullptr ? "the connection broke" : text;
}

bool is_address(const std::string& host) {
    std::array<unsigned char, 16> out{};
    return inet_pton(AF_INET, host.c_str(), out.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), out.data()) == 1;
}

// The name that the certificate must carry, and that the server is told (RFC 6066 section 3).
bool expect_host(SSL* session, const std::string& host) {
    X509_VERIFY_PARAM* wanted = SSL_get0_param(session);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
    return SSL_set1_host(session, host.c_str()) == 1 &&
           SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(host.c_str())) == 1;
}

// What a handshake that failed says to the operator.
std::string handshake_error(SSL* session) {
    const long verified = SSL_get_verify_result(session);
    if (verified != X509_V_OK) {
        ERR_clear_error();
        return fmt::format("its certificate is not trusted: {}",
                           X509_verify_cert_error_string(verified));
    }
    return "the TLS handshake failed: " + reason();
}

}  // namespace

TlsContext::~TlsContext() {
    SSL_CTX_free(of(context_));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const std::string& ca_file) {
    struct Made : TlsContext {};
    const auto out = std::make_shared<Made>();
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    static_cast<TlsContext&>(*out).context_ = context;
    if (context == nullptr) return fail(ErrorCode::kInternal, "OpenSSL gives no context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context, kHttp11.data(), kHttp11.size());
    if (ca_file.empty()) {
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            return fail(ErrorCode::kNotFound, "the system's certificates cannot be read");
    } else if (!std::filesystem::exists(ca_file)) {
        return fail(ErrorCode::kNotFound, fmt::format("no certificate file `{}`", ca_file));
    } else if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` holds no PEM certificate: {}", ca_file, reason()));
    }
    ERR_clear_error();
    return std::shared_ptr<const TlsContext>(out);
}

TlsSession::~TlsSession() {
    SSL_free(ssl(session_));
}

Task<Result<std::unique_ptr<TlsSession>>> TlsSession::connect(
    std::shared_ptr<const TlsContext> context, std::shared_ptr<Poll> poll, std::string host,
    TimePoint deadline) {
    std::unique_ptr<TlsSession> out(new TlsSession());
    out->context_ = context;
    SSL* session = SSL_new(of(context->context_));
    out->session_ = session;
    if (session == nullptr || !expect_host(session, host) || SSL_set_fd(session, poll->fd()) != 1)
        co_return fail(ErrorCode::kInternal, "OpenSSL: " + reason());
    for (;;) {
        if (!poll->is_open()) co_return fail(closed_error().error());
        ERR_clear_error();
        const int done = SSL_connect(session);
        if (done == 1) co_return std::move(out);
        const int why = SSL_get_error(session, done);
        Ready ready = Ready::kReady;
        if (why == SSL_ERROR_WANT_READ)
            ready = co_await poll->readable(deadline);
        else if (why == SSL_ERROR_WANT_WRITE)
            ready = co_await poll->writable(deadline);
        else
            co_return fail(ErrorCode::kUnavailable,
                           fmt::format("`{}`: {}", host, handshake_error(session)));
        if (ready == Ready::kTimeout)
            co_return fail(ErrorCode::kTimeout,
                           fmt::format("`{}`: no TLS handshake in time", host));
        if (ready == Ready::kClosed) co_return fail(closed_error().error());
    }
}

ssize_t TlsSession::read(char* to, std::size_t size) {
    SSL* session = ssl(session_);
    ERR_clear_error();
    const int got = SSL_read(session, to, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
    if (got > 0) return got;
    const int why = SSL_get_error(session, got);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return -1;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : -2;
}

Task<Status> TlsSession::write(TlsSession* self, std::shared_ptr<Poll> poll, std::string bytes,
                               TimePoint deadline) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        if (!poll->is_open()) co_return closed_error();
        ERR_clear_error();
        const auto left = std::min<std::size_t>(bytes.size() - done, 1 << 20);
        const int sent =
            SSL_write(ssl(self->session_), bytes.data() + done, static_cast<int>(left));
        if (sent > 0) {
            done += static_cast<std::size_t>(sent);
            continue;
        }
        const int why = SSL_get_error(ssl(self->session_), sent);
        if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ)
            co_return fail(ErrorCode::kUnavailable, "the peer left: " + reason());
        Ready ready = Ready::kReady;
        if (why == SSL_ERROR_WANT_WRITE)
            ready = co_await poll->writable(deadline);
        else
            ready = co_await poll->readable(deadline);
        if (ready == Ready::kTimeout)
            co_return fail(ErrorCode::kTimeout, "the peer read nothing in time");
        if (ready == Ready::kClosed) co_return closed_error();
    }
    co_return Status();
}

}  // namespace writ::net

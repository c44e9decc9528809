// Defends: an https server is who its certificate says, by an authority we trust, or nothing is
// sent to it.
#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "net/http_pool.h"
#include "net/testing.h"

namespace writ::net {
namespace {

// A self-signed certificate for `names` (`DNS:x,IP:y`), and its key.
struct Identity {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    explicit Identity(const char* names) {
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3'600);
        X509_set_pubkey(certificate, key);
        X509_NAME* name = X509_get_subject_name(certificate);
        const auto* cn = reinterpret_cast<const unsigned char*>("test");
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0);
        X509_set_issuer_name(certificate, name);
        X509_EXTENSION* alt = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
        X509_add_ext(certificate, alt, -1);
        X509_EXTENSION_free(alt);
        X509_sign(certificate, key, EVP_sha256());
    }
    ~Identity() {
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    Identity(const Identity&) = delete;
    Identity& operator=(const Identity&) = delete;
    void save(const std::string& file) const {
        std::FILE* out = std::fopen(file.c_str(), "w");
        PEM_write_X509(out, certificate);
        std::fclose(out);
    }
};

// Accepts one connection after the other, answers two requests on each, counts what it heard.
class TlsServer {
  public:
    TlsServer(const Identity& identity, int version, int connections)
        : listener_(*Listener::bind(*Endpoint::parse("127.0.0.1:0"))),
          context_(SSL_CTX_new(TLS_server_method())) {
        SSL_CTX_set_min_proto_version(context_, version);
        SSL_CTX_set_max_proto_version(context_, version);
        SSL_CTX_set_security_level(context_, 0);
        SSL_CTX_use_certificate(context_, identity.certificate);
        SSL_CTX_use_PrivateKey(context_, identity.key);
        thread_ = std::thread([this, connections] {
            for (int i = 0; i < connections; ++i) serve();
        });
    }
    ~TlsServer() {
        thread_.join();
        SSL_CTX_free(context_);
    }
    TlsServer(const TlsServer&) = delete;
    TlsServer& operator=(const TlsServer&) = delete;
    std::uint16_t port() const { return listener_.endpoint().port; }
    int requests() const { return requests_; }

  private:
    void serve() {
        pollfd ready = {listener_.fd(), POLLIN, 0};
        if (::poll(&ready, 1, 10'000) <= 0) return;
        const Fd fd(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        SSL* ssl = SSL_new(context_);
        SSL_set_fd(ssl, fd.get());
        if (SSL_accept(ssl) == 1) {
            for (int i = 0; i < 2; ++i) {
                std::string heard;
                char byte = 0;
                while (heard.find("\r\n\r\n") == std::string::npos && SSL_read(ssl, &byte, 1) == 1)
                    heard += byte;
                if (heard.empty()) break;
                ++requests_;
                const std::string answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x');
                SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
            }
            SSL_shutdown(ssl);
        }
        SSL_free(ssl);
    }
    Listener listener_;
    SSL_CTX* context_;
    std::atomic<int> requests_ = 0;
    std::thread thread_;
};

Task<Result<std::string>> get(HttpPool* pool) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto call = pool->call();
    auto head = HttpHead::make("GET", "/", pool->authority(), Headers());
    const Status begun = co_await call->begin(*head, "", deadline, nullptr);
    if (!begun) co_return fail(begun.error());
    auto body = co_await call->read_all(1 << 20, deadline);
    co_return body;
}

Result<std::string> ask(const TempDir& dir, const std::string& host, std::uint16_t port,
                        const std::string& ca, int times = 1) {
    Reactor reactor;
    const auto url = Url::parse("https://" + host + ":" + std::to_string(port) + "/");
    HttpPoolOptions options;
    options.ca_file = ca.empty() ? "" : dir.file(ca);
    auto pool = HttpPool::make(reactor, *url, std::move(options));
    if (!pool) return fail(pool.error());
    Result<std::string> out;
    for (int i = 0; i < times; ++i) out = reactor.run_until(get(pool->get()));
    return out;
}

TEST(Tls, ATrustedServerIsSpokenToOnOneConnection) {
    const TempDir dir;
    const Identity identity("DNS:localhost,IP:127.0.0.1");
    identity.save(dir.file("ca.pem"));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const TlsServer server(identity, version, 1);
        const auto got = ask(dir, "127.0.0.1", server.port(), "ca.pem", 2);
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->size(), 100'000u);
        EXPECT_EQ(server.requests(), 2);
    }
    const TlsServer server(identity, TLS1_3_VERSION, 1);
    EXPECT_TRUE(ask(dir, "localhost", server.port(), "ca.pem"));
}

TEST(Tls, AStrangerASelfMadeOneAndAnOldOneHearNothing) {
    const TempDir dir;
    const Identity good("DNS:localhost,IP:127.0.0.1");
    good.save(dir.file("ca.pem"));
    const Identity named("DNS:tools.example.com");
    named.save(dir.file("named.pem"));
    const Identity other("DNS:localhost,IP:127.0.0.1");
    {
        const TlsServer server(other, TLS1_3_VERSION, 1);  // not signed by whom we trust
        const auto got = ask(dir, "127.0.0.1", server.port(), "ca.pem");
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(got.error().detail.find("certificate is not trusted"), std::string::npos)
            << got.error().detail;
        EXPECT_EQ(server.requests(), 0);
    }
    {
        const TlsServer server(other, TLS1_3_VERSION, 1);  // the system's authorities
        EXPECT_FALSE(ask(dir, "127.0.0.1", server.port(), ""));
    }
    {
        const TlsServer server(named, TLS1_3_VERSION, 1);  // another name
        EXPECT_FALSE(ask(dir, "127.0.0.1", server.port(), "named.pem"));
        EXPECT_EQ(server.requests(), 0);
    }
    {
        const TlsServer server(good, TLS1_1_VERSION, 1);
        EXPECT_FALSE(ask(dir, "127.0.0.1", server.port(), "ca.pem"));
    }
}

TEST(Tls, AFileWithoutCertificatesIsAClearError) {
    const TempDir dir;
    EXPECT_EQ(ask(dir, "localhost", 1, "absent.pem").error().code, ErrorCode::kNotFound);
    std::FILE* out = std::fopen(dir.file("empty.pem").c_str(), "w");
    std::fputs("nothing\n", out);
    std::fclose(out);
    EXPECT_EQ(ask(dir, "localhost", 1, "empty.pem").error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace writ::net

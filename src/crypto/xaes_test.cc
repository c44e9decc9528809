// The vectors of https://c2sp.org/XAES-256-GCM, then what an attacker would change.
#include "crypto/xaes.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <thread>

#include "crypto/gcm.h"
#include "crypto/hash.h"

namespace writ::crypto {
namespace {

const Bytes kNonce = [] {
    const ByteView text = as_bytes("ABCDEFGHIJKLMNOPQRSTUVWX");
    return Bytes(text.begin(), text.end());
}();
constexpr std::size_t kTagBytes = 16;

std::string shown(const Bytes& sealed) {
    EXPECT_EQ(Bytes(sealed.begin(), sealed.begin() + kXaesNonceBytes), kNonce);
    return to_hex(ByteView(sealed).subspan(kXaesNonceBytes));
}

// One key for each value of the bit that doubling may drop.
TEST(Xaes, C2spVectors) {
    const ByteView plain = as_bytes("XAES-256-GCM");
    const XaesKey first(Bytes(32, 0x01));
    EXPECT_EQ(shown(first.seal(kNonce, plain)),
              "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    const XaesKey second(Bytes(32, 0x03));
    EXPECT_EQ(shown(second.seal(kNonce, plain, as_bytes("c2sp.org/XAES-256-GCM"))),
              "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

// `size` bytes of SHAKE128 of `data`.
Bytes shake128(ByteView data, std::size_t size) {
    Bytes out(size);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EXPECT_EQ(EVP_DigestInit_ex(context, EVP_shake128(), nullptr), 1);
    EXPECT_EQ(EVP_DigestUpdate(context, data.data(), data.size()), 1);
    EXPECT_EQ(EVP_DigestFinalXOF(context, out.data(), out.size()), 1);
    EVP_MD_CTX_free(context);
    return out;
}

// 10,000 messages from SHAKE128 of nothing: key, nonce, plain and associated bytes, each of the
// last two behind a byte with its length. The digest is SHAKE128 of all that is sealed.
TEST(Xaes, C2spAccumulatedVector) {
    const Bytes random = shake128({}, 10'000 * (32 + 24 + 2 + 2 * 255));
    ByteView rest = random;
    const auto take = [&](std::size_t n) {
        const ByteView out = rest.first(n);
        rest = rest.subspan(n);
        return out;
    };
    Bytes all;
    for (int i = 0; i < 10'000; ++i) {
        const XaesKey key(take(32));
        const ByteView nonce = take(24);
        const ByteView plain = take(take(1)[0]);
        const ByteView associated = take(take(1)[0]);
        const Bytes sealed = key.seal(nonce, plain, associated);
        const auto opened = key.open(sealed, associated);
        ASSERT_TRUE(opened && std::ranges::equal(*opened, plain)) << i;
        all.insert(all.end(), sealed.begin() + kXaesNonceBytes, sealed.end());
    }
    EXPECT_EQ(to_hex(shake128(all, 32)),
              "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

TEST(Xaes, OpensOnlyWhatIsWhole) {
    const XaesKey key(Bytes(32, 0x01));
    Bytes sealed = key.seal(kNonce, as_bytes("secret"), as_bytes("mine"));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes bad = sealed;
        bad[i] ^= 0x01;
        const auto opened = key.open(bad, as_bytes("mine"));
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
        EXPECT_FALSE(key.open(ByteView(sealed).first(i), as_bytes("mine"))) << i;
    }
    EXPECT_EQ(as_text(*key.open(sealed, as_bytes("mine"))), "secret") << "after all failures";
    sealed.push_back(0);
    EXPECT_FALSE(key.open(sealed, as_bytes("mine")));
}

TEST(Xaes, BindsKeyAndAssociatedData) {
    const XaesKey key(Bytes(32, 0x01));
    const Bytes sealed = key.seal(kNonce, as_bytes("secret"), as_bytes("mine"));
    EXPECT_FALSE(XaesKey(Bytes(32, 0x02)).open(sealed, as_bytes("mine")));
    EXPECT_FALSE(key.open(sealed));
    EXPECT_FALSE(key.open(sealed, as_bytes("min")));
}

TEST(Xaes, SealsNothing) {
    const XaesKey key(Bytes(32, 0x01));
    const Bytes sealed = key.seal(kNonce, {});
    EXPECT_EQ(sealed.size(), kXaesNonceBytes + kTagBytes);
    EXPECT_TRUE(key.open(sealed)->empty());
}

// A context is used again with whatever size came before.
TEST(Xaes, RoundTripsEveryLengthOneAfterTheOther) {
    const XaesKey key(Bytes(32, 0x05));
    for (std::size_t n = 0; n < 600; ++n) {
        const Bytes plain(n, static_cast<std::uint8_t>(n));
        const ByteView associated = ByteView(plain).first(n / 2);
        const Bytes sealed = key.seal(kNonce, plain, associated);
        ASSERT_EQ(sealed, key.seal(kNonce, plain, associated)) << n;
        ASSERT_EQ(*key.open(sealed, associated), plain) << n;
    }
}

// What one way seals, the other opens; lengths around the blocks that are done together.
TEST(Gcm, BothWaysGiveTheSameBytes) {
    const Gcm* const fast = gcm_of_ipsec_mb();
#if WRIT_IPSEC_MB
    const bool can = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("pclmul") != 0;
    ASSERT_EQ(fast != nullptr, can);
#endif
    if (fast == nullptr)
        GTEST_SKIP() << "there is only one: no ipsec-mb, or not for this processor";
    const Gcm& plain_way = gcm_of_openssl();
    const std::array<std::uint8_t, kGcmKeyBytes> key = sha256("key");
    const Sha256 nonce = sha256("nonce");
    for (const std::size_t base : {0U, 16U, 128U, 256U, 768U, 1024U, 5000U}) {
        for (std::size_t n = base; n < base + 40; ++n) {
            const Bytes text(n, static_cast<std::uint8_t>(n));
            const Bytes associated(n % 77, 0x5a);
            const GcmMessage message{key, ByteView(nonce).first(kGcmNonceBytes), associated};
            Bytes a(n + kGcmTagBytes), b(n + kGcmTagBytes), opened(n);
            plain_way.seal(message, text, a.data());
            fast->seal(message, text, b.data());
            ASSERT_EQ(a, b) << n;
            const ByteView cipher = ByteView(a).first(n), tag = ByteView(a).last(kGcmTagBytes);
            ASSERT_TRUE(fast->open(message, cipher, tag, opened.data()) && opened == text) << n;
            ASSERT_TRUE(plain_way.open(message, cipher, tag, opened.data()) && opened == text) << n;
            a.back() ^= 0x80;
            EXPECT_FALSE(fast->open(message, cipher, tag, opened.data())) << n;
            EXPECT_FALSE(plain_way.open(message, cipher, tag, opened.data())) << n;
        }
    }
}

TEST(Xaes, OneKeySealsOnManyThreadsAtOnce) {
    const XaesKey key(Bytes(32, 0x07));
    const auto nonce_of = [](int i) {
        const Sha256 digest = sha256(std::to_string(i));
        return Bytes(digest.begin(), digest.begin() + kXaesNonceBytes);
    };
    std::vector<Bytes> expected;
    for (int i = 0; i < 500; ++i) expected.push_back(key.seal(nonce_of(i), nonce_of(i)));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                const auto at = static_cast<std::size_t>(i);
                EXPECT_EQ(key.seal(nonce_of(i), nonce_of(i)), expected[at]) << i;
            }
        });
    }
    for (auto& thread : threads) thread.join();
}

TEST(XaesDeathTest, RefusesKeysAndNoncesOfAnotherLength) {
    EXPECT_DEATH(XaesKey(Bytes(16)), "");
    EXPECT_DEATH(XaesKey(Bytes(32)).seal(Bytes(12), {}), "");
}

}  // namespace
}  // namespace writ::crypto

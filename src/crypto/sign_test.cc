#include "crypto/sign.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "crypto/testing.h"

namespace writ::crypto {
namespace {

template <std::size_t n>
std::array<std::uint8_t, n> array_of(std::string_view text) {
    std::array<std::uint8_t, n> out{};
    Bytes bytes = hex(text);
    EXPECT_EQ(bytes.size(), n);
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
}

struct Rfc8032 {
    std::string_view seed, key, message, signature;
};
const Rfc8032 kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
};

TEST(Ed25519, Rfc8032Section71Vectors) {
    for (const Rfc8032& vector : kRfc8032) {
        Ed25519Key key = Ed25519Key::from_seed(hex(vector.seed)).value();
        EXPECT_EQ(to_hex(key.public_key()), vector.key);
        EXPECT_EQ(to_hex(key.sign(hex(vector.message))), vector.signature);
        EXPECT_TRUE(ed25519_verify(key.public_key(), hex(vector.message), hex(vector.signature)));
    }
}

TEST(Ed25519, RefusesEveryChangedBit) {
    Ed25519Key key = Ed25519Key::generate();
    Signature signature = key.sign(as_bytes("message"));
    for (std::size_t bit = 0; bit < 512; ++bit) {
        Signature bad = signature;
        bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_FALSE(ed25519_verify(key.public_key(), as_bytes("message"), bad)) << bit;
    }
    EXPECT_FALSE(ed25519_verify(key.public_key(), as_bytes("massage"), signature));
    EXPECT_FALSE(
        ed25519_verify(Ed25519Key::generate().public_key(), as_bytes("message"), signature));
    EXPECT_FALSE(
        ed25519_verify(key.public_key(), as_bytes("message"), ByteView(signature).first(63)));
    EXPECT_FALSE(ed25519_verify(key.public_key(), as_bytes("message"), {}));
}

TEST(Ed25519, RefusesTheZeroKeyWithTheZeroSignature) {
    // The all-zero key is a point of small order: some verifiers accept almost anything under it.
    EXPECT_FALSE(ed25519_verify({}, as_bytes("message"), Signature{}));
}

TEST(Ed25519, RefusesSeedsOfAnotherLength) {
    EXPECT_FALSE(Ed25519Key::from_seed({}));
    EXPECT_FALSE(Ed25519Key::from_seed(Bytes(31)));
    EXPECT_FALSE(Ed25519Key::from_seed(Bytes(64)));
}

TEST(Ed25519, SeedRestoresTheKey) {
    Ed25519Key key = Ed25519Key::generate();
    EXPECT_EQ(Ed25519Key::from_seed(key.seed())->public_key(), key.public_key());
    EXPECT_NE(Ed25519Key::generate().public_key(), key.public_key());
}

// RFC 6979 appendix A.2.5, key and signature of "sample" with SHA-256.
const Es256Key::Public kRfc6979Key = {
    array_of<32>("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
    array_of<32>("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")};
const Signature kRfc6979Signature = array_of<64>(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");

TEST(Es256, Rfc6979Vector) {
    EXPECT_TRUE(es256_verify(kRfc6979Key, as_bytes("sample"), kRfc6979Signature));
    EXPECT_FALSE(es256_verify(kRfc6979Key, as_bytes("test"), kRfc6979Signature));
}

TEST(Es256, SignsWhatItVerifies) {
    Es256Key key = Es256Key::generate();
    for (int i = 0; i < 600; ++i) {  // enough for r or s with a leading zero byte
        std::string message = "message " + std::to_string(i);
        Signature signature = key.sign(as_bytes(message));
        ASSERT_TRUE(es256_verify(key.public_key(), as_bytes(message), signature)) << i;
    }
}

TEST(Es256, RefusesEveryChangedByte) {
    for (std::size_t i = 0; i < 64; ++i) {
        Signature bad = kRfc6979Signature;
        bad[i] ^= 0x10;
        EXPECT_FALSE(es256_verify(kRfc6979Key, as_bytes("sample"), bad)) << i;
    }
}

TEST(Es256, RefusesZeroAndOverlargeComponents) {
    Bytes order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    auto with = [](ByteView r, ByteView s) {
        Signature out{};
        std::copy(r.begin(), r.end(), out.begin());
        std::copy(s.begin(), s.end(), out.begin() + 32);
        return out;
    };
    ByteView good(kRfc6979Signature);
    Bytes zero(32);
    for (const Signature& bad :
         {with(zero, zero), with(good.first(32), zero), with(zero, good.last(32)),
          with(order, order), with(order, good.last(32)), with(good.first(32), order)}) {
        EXPECT_FALSE(es256_verify(kRfc6979Key, as_bytes("sample"), bad));
    }
}

TEST(Es256, RefusesSignaturesOfAnotherForm) {
    EXPECT_FALSE(es256_verify(kRfc6979Key, as_bytes("sample"), {}));
    EXPECT_FALSE(
        es256_verify(kRfc6979Key, as_bytes("sample"), ByteView(kRfc6979Signature).first(63)));
    Bytes der = hex("3046022100");
    der.insert(der.end(), kRfc6979Signature.begin(), kRfc6979Signature.begin() + 32);
    Bytes middle = hex("022100");
    der.insert(der.end(), middle.begin(), middle.end());
    der.insert(der.end(), kRfc6979Signature.begin() + 32, kRfc6979Signature.end());
    EXPECT_FALSE(es256_verify(kRfc6979Key, as_bytes("sample"), der));
}

TEST(Es256, RefusesPointsOffTheCurve) {
    Es256Key::Public off = kRfc6979Key;
    off.y[31] ^= 1;
    EXPECT_FALSE(es256_verify(off, as_bytes("sample"), kRfc6979Signature));
    EXPECT_FALSE(es256_verify({}, as_bytes("sample"), kRfc6979Signature));
    Es256Key::Public beyond;
    beyond.x.fill(0xff);
    beyond.y.fill(0xff);
    EXPECT_FALSE(es256_verify(beyond, as_bytes("sample"), kRfc6979Signature));
    EXPECT_TRUE(es256_verify(kRfc6979Key, as_bytes("sample"), kRfc6979Signature))
        << "a good key still works";
}

TEST(Es256, KeysThatAlternateAreNotMixedUp) {
    Es256Key a = Es256Key::generate();
    Es256Key b = Es256Key::generate();
    Signature by_a = a.sign(as_bytes("m"));
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(es256_verify(a.public_key(), as_bytes("m"), by_a));
        EXPECT_FALSE(es256_verify(b.public_key(), as_bytes("m"), by_a));
    }
}

TEST(Es256, PrivateKeySurvivesItsDer) {
    Es256Key key = Es256Key::generate();
    SecretBytes der = key.private_der();
    Es256Key again = Es256Key::from_private_der(der.view()).value();
    EXPECT_EQ(again.public_key(), key.public_key());
    EXPECT_TRUE(es256_verify(key.public_key(), as_bytes("m"), again.sign(as_bytes("m"))));
}

Bytes der_of(EVP_PKEY* key) {
    PKCS8_PRIV_KEY_INFO* box = EVP_PKEY2PKCS8(key);
    std::uint8_t* der = nullptr;
    int size = i2d_PKCS8_PRIV_KEY_INFO(box, &der);
    Bytes out(der, der + size);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(box);
    EVP_PKEY_free(key);
    return out;
}

TEST(Es256, RefusesPrivateKeysThatAreNotP256) {
    EXPECT_FALSE(Es256Key::from_private_der(der_of(EVP_EC_gen("P-384"))));
    EXPECT_FALSE(Es256Key::from_private_der(der_of(EVP_EC_gen("secp256k1"))));
    EXPECT_FALSE(
        Es256Key::from_private_der(der_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"))));
    EXPECT_FALSE(Es256Key::from_private_der({}));
    EXPECT_FALSE(Es256Key::from_private_der(as_bytes("-----BEGIN PRIVATE KEY-----")));
}

TEST(Es256, RefusesDamagedPrivateDer) {
    SecretBytes der = Es256Key::generate().private_der();
    Bytes good(der.view().begin(), der.view().end());
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_FALSE(Es256Key::from_private_der(ByteView(good).first(n))) << n;
    }
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(Es256Key::from_private_der(longer)) << "trailing byte";
    Bytes other_half = good;
    other_half.back() ^= 1;
    EXPECT_FALSE(Es256Key::from_private_der(other_half)) << "public half of another key";
}

TEST(Es256, LeavesNoErrorBehind) {
    ERR_clear_error();
    es256_verify({}, as_bytes("m"), kRfc6979Signature);
    es256_verify(kRfc6979Key, as_bytes("m"), Signature{});
    (void)Es256Key::from_private_der(as_bytes("x"));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Es256, WorksFromManyThreads) {
    Es256Key key = Es256Key::generate();
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                good +=
                    es256_verify(key.public_key(), as_bytes("m"), key.sign(as_bytes("m"))) ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good, 200);
}

}  // namespace
}  // namespace writ::crypto

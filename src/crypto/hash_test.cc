// Published vectors, then the implementations against OpenSSL's EVP and against each other.
#include "crypto/hash.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "crypto/testing.h"

namespace writ::crypto {
namespace {

Bytes repeat(std::uint8_t byte, std::size_t n) {
    return Bytes(n, byte);
}
Bytes counting(std::size_t n) {
    Bytes out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + 1);
    return out;
}

TEST(Sha256, Fips180Vectors) {
    EXPECT_EQ(to_hex(sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, AgreesWithEvpAtEveryLength) {
    for (std::size_t n = 0; n < 300; ++n) {
        Bytes data = counting(n);
        Sha256 expected;
        ASSERT_EQ(EVP_Digest(data.data(), n, expected.data(), nullptr, EVP_sha256(), nullptr), 1);
        EXPECT_EQ(sha256(data), expected) << n;
        ByteView view = data;
        EXPECT_EQ(HashedBeginning(view.first(n / 3), view.subspan(n / 3, n / 2))
                      .digest(view.subspan(n / 3)),
                  expected)
            << n;
        EXPECT_EQ(sha256(view.first(n / 3), view.subspan(n / 3)), expected)
            << "prefix and data joined, " << n;
    }
}

// RFC 6962 section 2.1, with the first hashes of the certificate transparency test tree.
TEST(MerkleHash, Rfc6962Vectors) {
    Sha256 empty_leaf = sha256(hex("00"), {});
    EXPECT_EQ(to_hex(empty_leaf),
              "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    Sha256 zero_leaf = sha256(hex("00"), hex("00"));
    EXPECT_EQ(to_hex(merkle_node(empty_leaf, zero_leaf)),
              "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

TEST(MerkleHash, NodeIsTheHashOfOneLeftRight) {
    Sha256 left = sha256("l");
    Sha256 right = sha256("r");
    Bytes joined = {0x01};
    joined.insert(joined.end(), left.begin(), left.end());
    joined.insert(joined.end(), right.begin(), right.end());
    EXPECT_EQ(merkle_node(left, right), sha256(joined));
    EXPECT_NE(merkle_node(left, right), merkle_node(right, left));
}

// Messages of lengths around the blocks, each beside one that is shorter, longer or as long.
TEST(Sha256, EachIsWhatOneAloneWouldBe) {
    std::vector<Bytes> all;
    for (const std::size_t n : {0U, 1U, 55U, 56U, 63U, 64U, 65U, 119U, 120U, 128U, 1100U, 5000U}) {
        for (const std::size_t m : {0U, 55U, 56U, 64U, 127U, 128U, 1100U, 1216U}) {
            all.push_back(counting(n));
            all.push_back(repeat(0xfe, m));
        }
    }
    all.push_back(counting(77));  // the last has no other
    const HmacKey keys[] = {HmacKey(counting(32)), HmacKey(repeat(7, 64)), HmacKey(repeat(8, 99))};
    std::vector<ByteView> views(all.begin(), all.end());
    std::vector<Mac> macs;
    for (const ByteView view : views) macs.push_back({&keys[macs.size() % 3], view});
    for (std::size_t n = 0; n <= views.size(); n = n < 4 ? n + 1 : n == 4 ? views.size() : n + 1) {
        std::vector<Sha256> digests(n), tags(n);
        sha256_each(std::span(views).first(n), digests);
        mac_each(std::span(macs).first(n), tags);
        for (std::size_t i = 0; i < n; ++i) {
            EXPECT_EQ(digests[i], sha256(views[i])) << i << " of " << n;
            EXPECT_EQ(tags[i], macs[i].key->mac(macs[i].data)) << i << " of " << n;
        }
    }
}

TEST(HmacSha256, Rfc4231Vectors) {
    auto mac = [](const Bytes& key, ByteView data) { return to_hex(hmac_sha256(key, data)); };
    EXPECT_EQ(mac(repeat(0x0b, 20), as_bytes("Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(mac(hex("4a656665"), as_bytes("what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(mac(repeat(0xaa, 20), repeat(0xdd, 50)),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(
        mac(repeat(0xaa, 131), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacKey, GivesWhatHmacGivesForKeysAndDataOfEveryLength) {
    for (const std::size_t size : {0U, 1U, 20U, 32U, 63U, 64U, 65U, 131U}) {
        const Bytes key = counting(size);
        const HmacKey kept(key);
        for (std::size_t n = 0; n < 200; n += 7) {
            const Bytes data = counting(n);
            ASSERT_EQ(kept.mac(data), hmac_sha256(key, data)) << size << ", " << n;
            ASSERT_EQ(kept.mac(data), kept.mac(data)) << "used again";
        }
    }
}

TEST(HmacKeyDeathTest, WithoutAKeyThereIsNoMac) {
    EXPECT_DEATH((void)HmacKey().mac({}), "");
}

Bytes openssl_hkdf(const Bytes& key, std::string_view info, std::size_t size) {
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    std::string label(info);
    Bytes secret = key;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label.data(), label.size()),
        OSSL_PARAM_construct_end()};
    Bytes out(size);
    EXPECT_EQ(EVP_KDF_derive(context, out.data(), size, parameters), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return out;
}

TEST(Hkdf, Rfc5869TestCase3) {
    EXPECT_EQ(
        to_hex(hkdf(repeat(0x0b, 22), "", 42).view()),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, AgreesWithOpenssl) {
    for (std::size_t size : {1U, 31U, 32U, 33U, 64U, 100U, 255U * 32U}) {
        for (std::string_view info :
             {"a", "writ payload key", "0123456789012345678901234567890123456789"}) {
            Bytes key = counting(32);
            EXPECT_EQ(to_hex(hkdf(key, info, size).view()), to_hex(openssl_hkdf(key, info, size)));
        }
    }
}

TEST(HkdfDeathTest, RefusesMoreThan255Blocks) {
    EXPECT_DEATH(hkdf({}, "", 255 * 32 + 1), "");
}

// RFC 3720 appendix B.4 and the usual check value.
TEST(Crc32c, PublishedVectors) {
    Bytes rising(32);
    for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<std::uint8_t>(i);
    for (auto* crc : {crc32c, crc32c_by_table}) {
        EXPECT_EQ(crc(as_bytes("123456789"), 0), 0xe3069283U);
        EXPECT_EQ(crc(repeat(0x00, 32), 0), 0x8a9136aaU);
        EXPECT_EQ(crc(repeat(0xff, 32), 0), 0x62a8ab43U);
        EXPECT_EQ(crc(rising, 0), 0x46dd794eU);
        EXPECT_EQ(crc({}, 0), 0U);
    }
}

TEST(Crc32c, ChainsAndAgreesWithTheTable) {
    Bytes data = counting(1'000);  // more than two rounds of three lanes
    ByteView view = data;
    for (std::size_t n = 0; n <= data.size(); ++n) {
        EXPECT_EQ(crc32c(view.subspan(n), crc32c(view.first(n))), crc32c(view)) << n;
        EXPECT_EQ(crc32c(view.subspan(n)), crc32c_by_table(view.subspan(n))) << n;
    }
}

}  // namespace
}  // namespace writ::crypto

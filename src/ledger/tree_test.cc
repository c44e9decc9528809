#include "ledger/tree.h"

#include <gtest/gtest.h>

#include <bit>

#include "crypto/hash.h"

namespace writ::ledger {
namespace {

// The definitions of RFC 6962 section 2.1, as they stand there.
Sha256 naive_root(const std::vector<Sha256>& d, std::size_t from, std::size_t to) {
    if (from == to) return empty_root();
    if (to - from == 1) return d[from];
    const std::size_t k = std::bit_floor(to - from - 1);
    return crypto::merkle_node(naive_root(d, from, from + k), naive_root(d, from + k, to));
}

void naive_path(const std::vector<Sha256>& d, std::size_t m, std::size_t from, std::size_t to,
                std::vector<Sha256>& out) {
    if (to - from == 1) return;
    const std::size_t k = std::bit_floor(to - from - 1);
    if (m < k) {
        naive_path(d, m, from, from + k, out);
        out.push_back(naive_root(d, from + k, to));
    } else {
        naive_path(d, m - k, from + k, to, out);
        out.push_back(naive_root(d, from, from + k));
    }
}

void naive_subproof(const std::vector<Sha256>& d, std::size_t m, std::size_t from, std::size_t to,
                    bool whole, std::vector<Sha256>& out) {
    const std::size_t n = to - from;
    if (m == n) {
        if (!whole) out.push_back(naive_root(d, from, to));
        return;
    }
    const std::size_t k = std::bit_floor(n - 1);
    if (m <= k) {
        naive_subproof(d, m, from, from + k, whole, out);
        out.push_back(naive_root(d, from + k, to));
    } else {
        naive_subproof(d, m - k, from + k, to, false, out);
        out.push_back(naive_root(d, from, from + k));
    }
}

std::vector<Sha256> leaves(std::size_t count) {
    std::vector<Sha256> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(leaf_hash(as_bytes(std::to_string(i))));
    return out;
}

// The vectors published with Certificate Transparency.
TEST(CompactTree, GivesThePublishedRoots) {
    const char* entries[] = {"",
                             "00",
                             "10",
                             "2021",
                             "3031",
                             "40414243",
                             "5051525354555657",
                             "606162636465666768696a6b6c6d6e6f"};
    const char* roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                           "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                           "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                           "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                           "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                           "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                           "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                           "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    CompactTree tree;
    EXPECT_EQ(to_hex(tree.root()),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (std::size_t i = 0; i < 8; ++i) {
        tree.append(leaf_hash(*from_hex(entries[i])));
        EXPECT_EQ(to_hex(tree.root()), roots[i]) << i;
    }
}

TEST(CompactTree, AgreesWithTheDefinitionAtEverySize) {
    const auto d = leaves(600);
    CompactTree tree;
    for (std::size_t n = 0; n < d.size(); ++n) {
        ASSERT_EQ(tree.root(), naive_root(d, 0, n)) << n;
        tree.append(d[n]);
    }
}

TEST(CompactTree, TellsTheHashesOfTiles) {
    const auto d = leaves(70'000);
    CompactTree tree;
    std::uint64_t told[3] = {};
    for (const auto& leaf : d)
        tree.append(leaf, [&](unsigned level, std::uint64_t index, const Sha256& hash) {
            ASSERT_LT(level, 3u);
            EXPECT_EQ(index, told[level]++);
            if (level == 1 && index % 97 == 0)
                EXPECT_EQ(hash, naive_root(d, index * 256, (index + 1) * 256));
        });
    EXPECT_EQ(told[0], 70'000u);
    EXPECT_EQ(told[1], 273u);
    EXPECT_EQ(told[2], 1u);
}

TEST(Proofs, InclusionHoldsForEveryLeafAndNothingElse) {
    const auto d = leaves(300);
    for (const std::size_t n : {1u, 2u, 3u, 7u, 8u, 33u, 64u, 70u, 255u, 256u, 257u, 300u}) {
        const Sha256 root = naive_root(d, 0, n);
        for (std::size_t i = 0; i < n; ++i) {
            std::vector<Sha256> path;
            naive_path(d, i, 0, n, path);
            ASSERT_TRUE(check_inclusion(i, n, d[i], path, root)) << i << " of " << n;
            EXPECT_FALSE(check_inclusion(i, n, d[(i + 1) % d.size()], path, root));
            EXPECT_FALSE(check_inclusion(n, n, d[i], path, root));
            if (!path.empty()) {
                auto broken = path;
                broken.back()[0] ^= 1;
                EXPECT_FALSE(check_inclusion(i, n, d[i], broken, root));
                broken = path;
                broken.pop_back();
                EXPECT_FALSE(check_inclusion(i, n, d[i], broken, root));
                broken = path;
                broken.push_back(d[0]);
                EXPECT_FALSE(check_inclusion(i, n, d[i], broken, root));
            }
        }
    }
}

TEST(Proofs, ConsistencyHoldsBetweenAllSizesTo70) {
    const auto d = leaves(70);
    for (std::size_t b = 1; b <= 70; ++b) {
        for (std::size_t a = 1; a <= b; ++a) {
            std::vector<Sha256> path;
            naive_subproof(d, a, 0, b, true, path);
            const Sha256 ra = naive_root(d, 0, a);
            const Sha256 rb = naive_root(d, 0, b);
            ASSERT_TRUE(check_consistency(a, b, path, ra, rb)) << a << " → " << b;
            if (a < b) EXPECT_FALSE(check_consistency(a, b, path, rb, ra));
            if (!path.empty()) {
                path.front()[5] ^= 1;
                EXPECT_FALSE(check_consistency(a, b, path, ra, rb));
            }
        }
    }
}

}  // namespace
}  // namespace writ::ledger

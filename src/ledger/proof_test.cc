// Proofs made from tiles, against the definitions of RFC 6962, at every shape of tree that matters.
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "crypto/hash.h"
#include "ledger/note.h"
#include "ledger/proof_file.h"
#include "ledger/prover.h"
#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

// The tree as the RFC defines it, over hashes of complete subtrees kept by level, so that large
// trees stay affordable: levels_[h][i] is MTH of the i-th run of 2^h leaves.
class NaiveTree {
  public:
    explicit NaiveTree(std::size_t count) {
        std::vector<Sha256> row;
        for (std::size_t i = 0; i < count; ++i)
            row.push_back(leaf_hash(as_bytes(std::to_string(i))));
        while (!row.empty()) {
            levels_.push_back(row);
            std::vector<Sha256> above;
            for (std::size_t i = 0; i + 1 < row.size(); i += 2)
                above.push_back(crypto::merkle_node(row[i], row[i + 1]));
            row = std::move(above);
        }
    }
    // MTH(D[from:to]).
    Sha256 mth(std::size_t from, std::size_t to) const {
        const std::size_t n = to - from;
        if (std::has_single_bit(n)) {
            const auto h = static_cast<std::size_t>(std::countr_zero(n));
            return levels_[h][from >> h];
        }
        const std::size_t k = std::bit_floor(n - 1);
        return crypto::merkle_node(mth(from, from + k), mth(from + k, to));
    }
    // PATH(m, D[from:to]).
    void path(std::size_t m, std::size_t from, std::size_t to, std::vector<Sha256>& out) const {
        if (to - from == 1) return;
        const std::size_t k = std::bit_floor(to - from - 1);
        const bool left = m < from + k;
        left ? path(m, from, from + k, out) : path(m, from + k, to, out);
        out.push_back(left ? mth(from + k, to) : mth(from, from + k));
    }
    // SUBPROOF(m, D[from:to], b).
    void subproof(std::size_t m, std::size_t from, std::size_t to, bool b,
                  std::vector<Sha256>& out) const {
        const std::size_t n = to - from;
        if (m == n) {
            if (!b) out.push_back(mth(from, to));
            return;
        }
        const std::size_t k = std::bit_floor(n - 1);
        if (m <= k) {
            subproof(m, from, from + k, b, out);
            out.push_back(mth(from + k, to));
        } else {
            subproof(m - k, from + k, to, false, out);
            out.push_back(mth(from, from + k));
        }
    }
    Result<std::string> tile(unsigned level, std::uint64_t n, unsigned width) const {
        std::string out;
        for (unsigned i = 0; i < width; ++i) {
            const Sha256& hash = levels_.at(8 * level).at(n * kTileWidth + i);
            out.append(reinterpret_cast<const char*>(hash.data()), hash.size());
        }
        return out;
    }

  private:
    std::vector<std::vector<Sha256>> levels_;
};

class ProverProofs : public ::testing::Test {
  protected:
    NaiveTree tree{70'000};
    Prover prover{[this](unsigned level, std::uint64_t n, unsigned width) {
        return tree.tile(level, n, width);
    }};
};

TEST_F(ProverProofs, InclusionIsTheDefinitionAtEveryLeafOfEverySizeTo300) {
    for (std::size_t size = 1; size <= 300; ++size)
        for (std::size_t i = 0; i < size; ++i) {
            std::vector<Sha256> expected;
            tree.path(i, 0, size, expected);
            const auto path = prover.inclusion(i, size);
            ASSERT_TRUE(path);
            ASSERT_EQ(*path, expected) << i << " of " << size;
        }
    EXPECT_EQ(prover.inclusion(7, 7).error().code, ErrorCode::kNotFound);
}

TEST_F(ProverProofs, ConsistencyIsTheDefinitionBetweenAllSizesTo300) {
    for (std::size_t size = 1; size <= 300; ++size)
        for (std::size_t old = 1; old < size; ++old) {
            std::vector<Sha256> expected;
            tree.subproof(old, 0, size, true, expected);
            const auto path = prover.consistency(old, size);
            ASSERT_TRUE(path);
            ASSERT_EQ(*path, expected) << old << " to " << size;
        }
    EXPECT_TRUE(prover.consistency(0, 5)->empty());
    EXPECT_TRUE(prover.consistency(5, 5)->empty());
    EXPECT_EQ(prover.consistency(6, 5).error().code, ErrorCode::kInvalid);
}

TEST_F(ProverProofs, ProofsOfLargeTreesHoldAndNoAlteredOneDoes) {
    std::mt19937_64 random(20261125);
    std::vector<std::size_t> sizes = {65'535, 65'536, 65'537, 65'791, 65'792, 65'793, 70'000};
    for (int i = 0; i < 30; ++i) sizes.push_back(1 + random() % 70'000);
    for (const std::size_t size : sizes) {
        const Sha256 root = tree.mth(0, size);
        EXPECT_EQ(*prover.root(size), root);
        for (int i = 0; i < 40; ++i) {
            const std::size_t index = i == 0 ? size - 1 : random() % size;
            auto path = *prover.inclusion(index, size);
            const Sha256 leaf = tree.mth(index, index + 1);
            ASSERT_TRUE(check_inclusion(index, size, leaf, path, root));
            if (path.empty()) continue;
            path[random() % path.size()][random() % 32] ^= static_cast<std::uint8_t>(1u << i % 8);
            ASSERT_FALSE(check_inclusion(index, size, leaf, path, root));
        }
        for (int i = 0; i < 40; ++i) {
            const std::size_t old = 1 + random() % size;
            auto path = *prover.consistency(old, size);
            const Sha256 old_root = tree.mth(0, old);
            ASSERT_TRUE(check_consistency(old, size, path, old_root, root)) << old << " " << size;
            if (path.empty()) continue;
            path[random() % path.size()][random() % 32] ^= 1;
            ASSERT_FALSE(check_consistency(old, size, path, old_root, root));
        }
    }
}

TEST_F(ProverProofs, AFewTilesInMemoryGiveTheSameProofs) {
    Prover small([this](unsigned level, std::uint64_t n,
                        unsigned width) { return tree.tile(level, n, width); },
                 4);
    std::mt19937 random(7);
    for (int i = 0; i < 500; ++i) {
        const std::size_t size = 1 + random() % 70'000;
        const std::size_t index = random() % size;
        ASSERT_EQ(*small.inclusion(index, size), *prover.inclusion(index, size));
    }
}

TEST(TilePaths, OnlyTheNamesOfTilesAreNames) {
    for (const char* good : {"tile/0/000", "tile/0/x001/x234/067", "tile/63/999.p/255",
                             "tile/entries/000.p/1", "tile/entries/x001/000"}) {
        const auto parsed = parse_tile_path(good);
        ASSERT_TRUE(parsed) << good;
        EXPECT_EQ(parsed->entries ? bundle_path(parsed->n, parsed->width)
                                  : tile_path(parsed->level, parsed->n, parsed->width),
                  good);
    }
    EXPECT_EQ(parse_tile_path("tile/0/x001/x234/067")->n, 1'234'067u);
    EXPECT_EQ(parse_tile_path("tile/entries/001")->end_index(), 512u);
    EXPECT_EQ(parse_tile_path("tile/1/000")->end_index(), 65'536u);
    for (const char* bad : {"",
                            "tile",
                            "tile/",
                            "tile/0",
                            "tile/0/",
                            "tile/00/000",
                            "tile/64/000",
                            "tile/-1/000",
                            "tile/0/0",
                            "tile/0/0000",
                            "tile/0/x000/000",
                            "tile/0/001/000",
                            "tile/0/x001",
                            "tile/0/000.p/0",
                            "tile/0/000.p/256",
                            "tile/0/000.p/01",
                            "tile/0/000.p/",
                            "tile/0/000.p",
                            "tile/0/../checkpoint",
                            "tile/entries/../../log.vkey",
                            "tile/entries/x001//000",
                            "tile/0/%30%30%30",
                            "/tile/0/000",
                            "tile/0/000/",
                            "tile/0/000 ",
                            "tile/0/x001/x000/000x",
                            "tile/0/x999/x999/x999/x999/x999/x999/x999/999"})
        EXPECT_FALSE(parse_tile_path(bad)) << bad;
}

TEST(ProofFiles, AProofStandsAloneAndAnAlteredOneFalls) {
    const auto key = crypto::Ed25519Key::generate();
    const auto log = *NoteVerifier::parse(make_vkey("example.com/log", key.public_key()));
    CompactTree tree;
    std::vector<std::string> entries;
    for (int i = 0; i < 5; ++i) {
        entries.push_back("entry " + std::to_string(i));
        tree.append(leaf_hash(as_bytes(entries.back())));
    }
    Prover prover([&](unsigned, std::uint64_t, unsigned width) -> Result<std::string> {
        std::string out;
        for (unsigned i = 0; i < width; ++i) {
            const auto hash = leaf_hash(as_bytes(entries[i]));
            out.append(reinterpret_cast<const char*>(hash.data()), hash.size());
        }
        return out;
    });
    ProofFile proof;
    proof.extra = {1, 2, 3};
    proof.index = 3;
    proof.path = *prover.inclusion(3, 5);
    proof.checkpoint =
        sign_note(checkpoint_text("example.com/log", 5, tree.root()), "example.com/log", key);
    const auto read = ProofFile::parse(proof.text());
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->text(), proof.text());
    EXPECT_TRUE(read->check(entries[3], log));
    EXPECT_FALSE(read->check(entries[2], log));
    const std::string text = proof.text();
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string altered = text;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        const auto other = ProofFile::parse(altered);
        // Only `extra` is nobody's word.
        const bool extra = i > 22 && i < text.find("index");
        EXPECT_TRUE(extra || !other || !other->check(entries[3], log)) << i;
    }
}

}  // namespace
}  // namespace writ::ledger

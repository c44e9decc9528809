#include "ledger/tree.h"

#include <bit>

#include "base/check.h"
#include "crypto/hash.h"

namespace writ::ledger {

Sha256 empty_root() {
    return crypto::sha256(ByteView{});
}

Sha256 leaf_hash(ByteView entry) {
    constexpr std::uint8_t prefix[1] = {0};
    return crypto::sha256(ByteView(prefix), entry);
}

CompactTree::CompactTree(std::uint64_t size, std::vector<Sha256> peaks)
    : size_(size), peaks_(std::move(peaks)) {
    WRIT_CHECK(peaks_.size() == static_cast<std::size_t>(std::popcount(size)));
}

void CompactTree::append(const Sha256& leaf, const OnTileHash& on_tile_hash) {
    Sha256 node = leaf;
    unsigned height = 0;
    if (on_tile_hash) on_tile_hash(0, size_, node);
    for (std::uint64_t k = size_; (k & 1) != 0; k >>= 1) {
        node = crypto::merkle_node(peaks_.back(), node);
        peaks_.pop_back();
        ++height;
        if (height % 8 == 0 && on_tile_hash) on_tile_hash(height / 8, size_ >> height, node);
    }
    peaks_.push_back(node);
    ++size_;
}

Sha256 CompactTree::root() const {
    if (peaks_.empty()) return empty_root();
    Sha256 root = peaks_.back();
    for (std::size_t i = peaks_.size() - 1; i-- > 0;) root = crypto::merkle_node(peaks_[i], root);
    return root;
}

bool check_inclusion(std::uint64_t index, std::uint64_t size, const Sha256& leaf,
                     const std::vector<Sha256>& path, const Sha256& root) {
    if (index >= size) return false;
    std::uint64_t fn = index;
    std::uint64_t sn = size - 1;
    Sha256 r = leaf;
    for (const Sha256& p : path) {
        if (sn == 0) return false;
        if ((fn & 1) != 0 || fn == sn) {
            r = crypto::merkle_node(p, r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = crypto::merkle_node(r, p);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && r == root;
}

bool check_consistency(std::uint64_t old_size, std::uint64_t new_size,
                       const std::vector<Sha256>& path, const Sha256& old_root,
                       const Sha256& new_root) {
    if (old_size > new_size) return false;
    if (old_size == new_size) return path.empty() && old_root == new_root;
    if (old_size == 0) return path.empty();
    if (path.empty()) return false;
    const bool whole = std::has_single_bit(old_size);
    std::uint64_t fn = old_size - 1;
    std::uint64_t sn = new_size - 1;
    while ((fn & 1) != 0) {
        fn >>= 1;
        sn >>= 1;
    }
    Sha256 fr = whole ? old_root : path.front();
    Sha256 sr = fr;
    for (std::size_t i = whole ? 0 : 1; i < path.size(); ++i) {
        if (sn == 0) return false;
        if ((fn & 1) != 0 || fn == sn) {
            fr = crypto::merkle_node(path[i], fr);
            sr = crypto::merkle_node(path[i], sr);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = crypto::merkle_node(sr, path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return fr == old_root && sr == new_root && sn == 0;
}

}  // namespace writ::ledger

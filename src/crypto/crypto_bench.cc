#include <benchmark/benchmark.h>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sign.h"
#include "crypto/xaes.h"

namespace writ::crypto {
namespace {

void BM_Sha256(benchmark::State& state) {
    Bytes data(static_cast<std::size_t>(state.range(0)), 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(sha256(data));
}
BENCHMARK(BM_Sha256)->Arg(65)->Arg(1024);

void BM_MerkleNode(benchmark::State& state) {
    Sha256 left = sha256("l");
    for (auto _ : state) benchmark::DoNotOptimize(left = merkle_node(left, left));
}
BENCHMARK(BM_MerkleNode);

// Per message.
void BM_Sha256Each(benchmark::State& state) {
    const std::vector<Bytes> data(16, Bytes(static_cast<std::size_t>(state.range(0)), 7));
    const std::vector<ByteView> views(data.begin(), data.end());
    std::vector<Sha256> out(data.size());
    for (auto _ : state) {
        sha256_each(views, out);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(BM_Sha256Each)->Arg(65)->Arg(1024);

void BM_Hmac(benchmark::State& state) {
    const Bytes key(32, 0x11), data(static_cast<std::size_t>(state.range(0)), 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(hmac_sha256(key, data));
}
BENCHMARK(BM_Hmac)->Arg(32)->Arg(1024);

void BM_HmacKey(benchmark::State& state) {
    const HmacKey key(Bytes(32, 0x11));
    const Bytes data(static_cast<std::size_t>(state.range(0)), 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(key.mac(data));
}
BENCHMARK(BM_HmacKey)->Arg(32)->Arg(1024);

void BM_Crc32c4K(benchmark::State& state) {
    Bytes data(4096, 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(crc32c(data));
}
BENCHMARK(BM_Crc32c4K);

// What the vault binds a blob to has about this length.
const std::string kAssociated(50, 'a');

void BM_SealXChaCha(benchmark::State& state) {
    const SecretBytes key(kSealKeyBytes);  // libsodium picks its fast code when the first is made
    const Bytes nonce(kSealNonceBytes, 0x22);
    const Bytes plain(static_cast<std::size_t>(state.range(0)), 0x5a);
    for (auto _ : state)
        benchmark::DoNotOptimize(seal(key.view(), nonce, plain, as_bytes(kAssociated)));
}
BENCHMARK(BM_SealXChaCha)->Arg(64)->Arg(1024)->Arg(16 << 10);

void BM_SealXaes(benchmark::State& state) {
    const XaesKey key(Bytes(kXaesKeyBytes, 0x11));
    const Bytes nonce(kXaesNonceBytes, 0x22);
    const Bytes plain(static_cast<std::size_t>(state.range(0)), 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(key.seal(nonce, plain, as_bytes(kAssociated)));
}
BENCHMARK(BM_SealXaes)->Arg(64)->Arg(1024)->Arg(16 << 10);

void BM_Es256Sign(benchmark::State& state) {
    Es256Key key = Es256Key::generate();
    for (auto _ : state) benchmark::DoNotOptimize(key.sign(as_bytes("message")));
}
BENCHMARK(BM_Es256Sign);

// `state.range(0)` keys in turn: one is found prepared, two are built anew each time.
void BM_Es256Verify(benchmark::State& state) {
    std::vector<Es256Key> keys = {Es256Key::generate(), Es256Key::generate()};
    std::vector<Signature> signatures = {keys[0].sign(as_bytes("m")), keys[1].sign(as_bytes("m"))};
    std::size_t turn = 0;
    for (auto _ : state) {
        std::size_t which = turn++ % static_cast<std::size_t>(state.range(0));
        benchmark::DoNotOptimize(
            es256_verify(keys[which].public_key(), as_bytes("m"), signatures[which]));
    }
}
BENCHMARK(BM_Es256Verify)->Arg(1)->Arg(2);

void BM_Ed25519Sign(benchmark::State& state) {
    Ed25519Key key = Ed25519Key::generate();
    for (auto _ : state) benchmark::DoNotOptimize(key.sign(as_bytes("message")));
}
BENCHMARK(BM_Ed25519Sign);

}  // namespace
}  // namespace writ::crypto

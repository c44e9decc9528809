// A key file is 40 bytes: `WRITKEY1`, then the key. `current` names the key that seals.
#include "evidence/vault_keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "evidence/files.h"

namespace writ::evidence {

namespace {

constexpr std::string_view kPlainMagic = "WRITKEY1";
constexpr std::size_t kMaxKeyFileBytes = 4096;
constexpr std::string_view kKidPrefix = "k1-";
constexpr std::size_t kKidBytes = 8;
constexpr std::size_t kKidText = kKidPrefix.size() + 2 * kKidBytes;

// kid comes from events, which may be forged: it must not become a path of somebody's choosing.
bool is_kid(std::string_view text) {
    return text.size() == kKidText && text.starts_with(kKidPrefix) &&
           text.substr(kKidPrefix.size()).find_first_not_of("0123456789abcdef") ==
               std::string_view::npos;
}

}  // namespace

namespace {

using Cipher = SubjectCipher;
constexpr std::string_view kLabels1 = "writ vault 1 ";
constexpr std::string_view kLabels2 = "writ vault 2 ";

// HKDF of `key`, labelled with the version of the format.
struct Derivation {
    ByteView key;
    std::string_view tenant;
    std::string_view labels;

    SecretBytes part(std::string_view label, std::size_t size) const {
        const std::string info = std::string(labels).append(label) + '\0';
        return crypto::hkdf(key, info + std::string(tenant), size);
    }
    VaultKeys common(std::string_view prefix) const {
        VaultKeys keys;
        keys.kid = std::string(prefix) + to_hex(part("kid", kKidBytes).view());
        keys.bound = std::string(labels) + "blob";
        for (const auto text : {tenant, std::string_view(keys.kid)}) {
            keys.bound.append(1, '\0').append(text);
        }
        keys.sealing = part("seal", kVaultKeyBytes);
        keys.nonce = crypto::HmacKey(part("nonce", kVaultKeyBytes).view());
        keys.commit = crypto::HmacKey(part("commit", kVaultKeyBytes).view());
        return keys;
    }
};

}  // namespace

std::optional<SubjectCipher> subject_cipher(std::string_view kid) {
    if (kid.starts_with("k2-")) return Cipher::kXChaCha20Poly1305;
    if (kid.starts_with("k3-")) return Cipher::kXaes256Gcm;
    return std::nullopt;
}

VaultKeys derive_keys(ByteView tenant_key, std::string_view tenant) {
    const Derivation derived{tenant_key, tenant, kLabels1};
    VaultKeys keys = derived.common(kKidPrefix);
    keys.pseudonym = derived.part("pseudonym", kVaultKeyBytes);
    keys.wrap = derived.part("wrap", kVaultKeyBytes);
    keys.tag = derived.part("tag", kVaultKeyBytes);
    return keys;
}

VaultKeys derive_subject_keys(ByteView key, std::string_view tenant, SubjectCipher cipher) {
    if (cipher == Cipher::kXChaCha20Poly1305)
        return Derivation{key, tenant, kLabels1}.common("k2-");
    VaultKeys keys = Derivation{key, tenant, kLabels2}.common("k3-");
    keys.sealing = crypto::XaesKey(std::get<SecretBytes>(keys.sealing).view());
    return keys;
}

Sha256 VaultKeys::commitment(std::string_view plain) const {
    return commit.mac(as_bytes(plain));
}

Bytes VaultKeys::seal(std::string_view plain, const Sha256& nonce_mac) const {
    const ByteView first = ByteView(nonce_mac).first(crypto::kSealNonceBytes);
    static_assert(crypto::kSealNonceBytes == crypto::kXaesNonceBytes);
    if (const auto* xaes = std::get_if<crypto::XaesKey>(&sealing)) {
        return xaes->seal(first, as_bytes(plain), as_bytes(bound));
    }
    return crypto::seal(std::get<SecretBytes>(sealing).view(), first, as_bytes(plain),
                        as_bytes(bound));
}

Result<Bytes> VaultKeys::open(ByteView blob) const {
    if (const auto* xaes = std::get_if<crypto::XaesKey>(&sealing)) {
        return xaes->open(blob, as_bytes(bound));
    }
    return crypto::open(std::get<SecretBytes>(sealing).view(), blob, as_bytes(bound));
}

Result<std::unique_ptr<KeyRing>> KeyRing::open(std::filesystem::path dir, std::string tenant,
                                               std::shared_ptr<const Custody> custody) {
    if (auto made = make_private_dir(dir); !made) return fail(made.error());
    std::unique_ptr<KeyRing> ring(
        new KeyRing(std::move(dir), std::move(tenant), std::move(custody)));
    // Two processes that start together must not each make a key.
    const Fd lock(::open(ring->dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) {
        return fail(io_error("cannot lock `" + ring->dir_.string() + "`", errno));
    }
    if (auto chosen = ring->choose_current(); !chosen) return fail(chosen.error());
    return ring;
}

std::filesystem::path KeyRing::file(std::string_view kid) const {
    return dir_ / std::string(kid).append(".key");
}

Status KeyRing::choose_current() {
    const auto name = dir_ / "current";
    const Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid() && errno != ENOENT) return fail(io_error("cannot open the vault", errno));
    if (!fd.valid()) return make_key();
    std::array<std::uint8_t, kKidText> text{};
    const auto read = read_at(fd.get(), text, 0);
    if (!read) return fail(read.error());
    const std::string_view kid = as_text(text);
    if (!*read || !is_kid(kid)) {
        return fail(ErrorCode::kCorrupt, "`" + name.string() + "` names no key");
    }
    auto keys = load(kid);
    // The current key was shredded: what comes from now on is sealed under a new one.
    if (!keys && keys.error().code == ErrorCode::kForbidden) return make_key();
    if (!keys) return fail(keys.error());
    current_ = *keys;
    return {};
}

Status KeyRing::make_key() {
    const SecretBytes key = SecretBytes::random(kVaultKeyBytes);
    auto keys = std::make_shared<VaultKeys>(derive_keys(key.view(), tenant_));
    auto content = custody_->wrap(key.view());
    if (!content) return fail(content.error());
    const auto written = replace_file(file(keys->kid), *content);
    std::ranges::fill(*content, std::uint8_t{0});
    if (!written) return written;
    const std::string line = keys->kid + "\n";
    if (auto named = replace_file(dir_ / "current", as_bytes(line)); !named) return named;
    current_ = std::move(keys);
    return {};
}

Result<std::shared_ptr<const VaultKeys>> KeyRing::load(std::string_view kid) const {
    const auto name = file(kid);
    const Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid() && errno == ENOENT) {
        return fail(ErrorCode::kForbidden, "key `" + std::string(kid) + "` was shredded");
    }
    if (!fd.valid()) return fail(io_error("cannot open `" + name.string() + "`", errno));
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0) return fail(io_error("cannot read key", errno));
    if ((st.st_mode & 077U) != 0) {
        return fail(ErrorCode::kCorrupt,
                    "key file `" + name.string() + "` is open to others: chmod 600 it");
    }
    const auto size = static_cast<std::size_t>(std::max<off_t>(st.st_size, 0));
    if (size < kKeyMagicBytes || size > kMaxKeyFileBytes) {
        return fail(ErrorCode::kCorrupt, "`" + name.string() + "` is not a vault key");
    }
    SecretBytes content(size);
    const auto read = read_at(fd.get(), content.span(), 0);
    if (!read) return fail(read.error());
    const auto magic = as_text(content.view().first(kKeyMagicBytes));
    const bool plain = magic == kPlainMagic;
    if (!plain && magic != custody_->magic()) {
        const bool passphrase = magic == "WRITKEY2", token = magic == "WRITKEY3";
        return fail(ErrorCode::kCorrupt,
                    "`" + name.string() + "` " +
                        (passphrase ? "is under a passphrase: set `[vault] custody = "
                                      "\"passphrase\"` and `passphrase_file`"
                         : token    ? "is under a PKCS#11 token: set `[vault] custody = \"pkcs11\"`"
                                    : "is not a vault key"));
    }
    const auto key =
        plain ? file_custody()->unwrap(content.view()) : custody_->unwrap(content.view());
    if (!key) return fail(key.error());
    auto keys = std::make_shared<VaultKeys>(derive_keys(key->view(), tenant_));
    if (keys->kid != kid) {
        return fail(ErrorCode::kCorrupt,
                    "`" + name.string() + "` is another key, or another tenant's");
    }
    if (plain && custody_->magic() != kPlainMagic) {
        // From now on it lies there under its custody only.
        const auto wrapped = custody_->wrap(key->view());
        if (!wrapped) return fail(wrapped.error());
        if (auto replaced = replace_file(name, *wrapped); !replaced) return fail(replaced.error());
    }
    return std::shared_ptr<const VaultKeys>(std::move(keys));
}

Result<std::shared_ptr<const VaultKeys>> KeyRing::find(std::string_view kid) {
    if (!is_kid(kid)) return fail(ErrorCode::kForbidden, "no such key");
    const std::lock_guard lock(mutex_);
    // Shredded is shredded, also for a process that had the key in memory.
    if (::access(file(kid).c_str(), F_OK) != 0) {
        loaded_.erase(std::string(kid));
        return fail(ErrorCode::kForbidden, "key `" + std::string(kid) + "` was shredded");
    }
    if (kid == current_->kid) return current_;
    if (const auto it = loaded_.find(kid); it != loaded_.end()) return it->second;
    auto keys = load(kid);
    if (!keys) return fail(keys.error());
    return loaded_.emplace(kid, std::move(*keys)).first->second;
}

}  // namespace writ::evidence

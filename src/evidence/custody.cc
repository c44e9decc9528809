#include "evidence/custody.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "crypto/password.h"
#include "crypto/seal.h"
#include "evidence/files.h"
#include "evidence/pkcs11.h"

namespace writ::evidence {

namespace {

constexpr std::size_t kMaxPassphraseBytes = 1024;
constexpr std::string_view kWrapLabel = "writ vault 1 passphrase";

void put_u32(Bytes& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
std::uint32_t get_u32(ByteView bytes) {
    std::uint32_t out = 0;
    for (std::size_t i = 4; i-- > 0;) out = out << 8 | bytes[i];
    return out;
}

class FileCustody final : public Custody {
  public:
    std::string_view magic() const override { return "WRITKEY1"; }
    Result<Bytes> wrap(ByteView key) const override {
        Bytes out(magic().begin(), magic().end());
        out.insert(out.end(), key.begin(), key.end());
        return out;
    }
    Result<SecretBytes> unwrap(ByteView file) const override {
        if (file.size() != kKeyMagicBytes + kVaultKeyBytes) {
            return fail(ErrorCode::kCorrupt, "not a vault key");
        }
        return SecretBytes(file.subspan(kKeyMagicBytes));
    }
};

class PassphraseCustody final : public Custody {
  public:
    PassphraseCustody(SecretBytes passphrase, std::uint32_t passes, std::uint32_t memory_kib)
        : passphrase_(std::move(passphrase)), passes_(passes), memory_kib_(memory_kib) {}
    std::string_view magic() const override { return "WRITKEY2"; }

    Result<Bytes> wrap(ByteView key) const override {
        Bytes out(magic().begin(), magic().end());
        put_u32(out, passes_);
        put_u32(out, memory_kib_);
        const Bytes salt = random_bytes(crypto::kPasswordSaltBytes);
        out.insert(out.end(), salt.begin(), salt.end());
        const auto kek = crypto::password_key(passphrase_.view(), salt, passes_, memory_kib_);
        if (!kek) return fail(kek.error());
        const Bytes nonce = random_bytes(crypto::kSealNonceBytes);
        const Bytes sealed = crypto::seal(kek->view(), nonce, key, as_bytes(kWrapLabel));
        out.insert(out.end(), sealed.begin(), sealed.end());
        return out;
    }

    Result<SecretBytes> unwrap(ByteView file) const override {
        constexpr std::size_t kHead = kKeyMagicBytes + 8 + crypto::kPasswordSaltBytes;
        if (file.size() <= kHead) return fail(ErrorCode::kCorrupt, "not a vault key");
        const auto kek = crypto::password_key(
            passphrase_.view(), file.subspan(kKeyMagicBytes + 8, crypto::kPasswordSaltBytes),
            get_u32(file.subspan(kKeyMagicBytes, 4)), get_u32(file.subspan(kKeyMagicBytes + 4, 4)));
        if (!kek) return fail(kek.error());
        auto key = crypto::open(kek->view(), file.subspan(kHead), as_bytes(kWrapLabel));
        if (!key || key->size() != kVaultKeyBytes) {
            return fail(ErrorCode::kUnauthenticated,
                        "the vault's passphrase is wrong, or its key file was changed");
        }
        SecretBytes out{ByteView(*key)};
        std::ranges::fill(*key, std::uint8_t{0});
        return out;
    }

  private:
    const SecretBytes passphrase_;
    const std::uint32_t passes_, memory_kib_;
};

// The first line of a file that others cannot read.
Result<SecretBytes> read_passphrase(const std::string& name) {
    if (name.empty()) {
        return fail(ErrorCode::kInvalid,
                    "the vault needs a passphrase: name its file in `[vault] passphrase_file`");
    }
    const Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return fail(io_error("cannot open `" + name + "`", errno));
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0) return fail(io_error("cannot read `" + name + "`", errno));
    if (S_ISREG(st.st_mode) && (st.st_mode & 077U) != 0) {
        return fail(ErrorCode::kInvalid, "`" + name + "` is open to others: chmod 600 it");
    }
    SecretBytes text(kMaxPassphraseBytes);
    const auto got = ::read(fd.get(), text.span().data(), text.size());
    if (got < 0) return fail(io_error("cannot read `" + name + "`", errno));
    const auto all = text.view().first(static_cast<std::size_t>(got));
    const auto end = std::ranges::find(all, std::uint8_t{'\n'});
    const auto line = all.first(static_cast<std::size_t>(end - all.begin()));
    if (line.empty()) return fail(ErrorCode::kInvalid, "`" + name + "` is empty");
    return SecretBytes(line);
}

}  // namespace

std::shared_ptr<const Custody> file_custody() {
    return std::make_shared<FileCustody>();
}

std::shared_ptr<const Custody> passphrase_custody(SecretBytes passphrase, std::uint32_t passes,
                                                  std::uint32_t memory_kib) {
    return std::make_shared<PassphraseCustody>(
        std::move(passphrase), passes == 0 ? crypto::kPasswordPasses : passes,
        memory_kib == 0 ? crypto::kPasswordMemory_kib : memory_kib);
}

Result<std::shared_ptr<const Custody>> make_custody(const CustodySpec& spec) {
    if (spec.kind.empty() || spec.kind == "file") return file_custody();
    if (spec.kind != "passphrase" && spec.kind != "pkcs11") {
        return fail(ErrorCode::kInvalid,
                    "unknown custody `" + spec.kind + "`: write file, passphrase or pkcs11");
    }
    auto secret = read_passphrase(spec.passphrase_file);
    if (!secret) return fail(secret.error());
    if (spec.kind == "pkcs11") return pkcs11_custody(spec, std::move(*secret));
    return passphrase_custody(std::move(*secret));
}

}  // namespace writ::evidence

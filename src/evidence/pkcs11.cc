// PKCS#11 2.40: one session, one AES key, two operations.
#include "evidence/pkcs11.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <vector>

#include <p11-kit/pkcs11.h>

namespace writ::evidence {

namespace {

constexpr std::string_view kMagic = "WRITKEY3";
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kMaxSlots = 64;
constexpr std::string_view kLabel = "writ vault 1 pkcs11";

Error token_error(std::string_view what, CK_RV code) {
    const bool pin = code == CKR_PIN_INCORRECT || code == CKR_PIN_LOCKED;
    return {pin ? ErrorCode::kUnauthenticated : ErrorCode::kUnavailable,
            fmt::format("token: {} failed with CKR 0x{:x}{}", what, code,
                        pin ? " (the PIN is wrong or locked)" : "")};
}

// Labels of tokens are padded with blanks.
std::string_view trimmed(const unsigned char* text, std::size_t size) {
    std::string_view out(reinterpret_cast<const char*>(text), size);
    while (out.ends_with(' ')) out.remove_suffix(1);
    return out;
}

class TokenCustody final : public Custody {
  public:
    ~TokenCustody() override {
        if (session_ != 0) p11_->C_CloseSession(session_);
        if (initialized_) p11_->C_Finalize(nullptr);
        if (module_ != nullptr) ::dlclose(module_);
    }

    Status open(const CustodySpec& spec, const SecretBytes& pin) {
        module_ = ::dlopen(spec.module.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (module_ == nullptr) {
            return fail(ErrorCode::kUnavailable,
                        fmt::format("cannot load the PKCS#11 module `{}`", spec.module));
        }
        const auto list =
            reinterpret_cast<CK_C_GetFunctionList>(::dlsym(module_, "C_GetFunctionList"));
        if (list == nullptr || list(&p11_) != CKR_OK) {
            return fail(ErrorCode::kUnavailable,
                        fmt::format("`{}` is not a PKCS#11 module", spec.module));
        }
        CK_C_INITIALIZE_ARGS args{};
        args.flags = CKF_OS_LOCKING_OK;
        const CK_RV begun = p11_->C_Initialize(&args);
        if (begun != CKR_OK && begun != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
            return fail(token_error("C_Initialize", begun));
        }
        initialized_ = begun == CKR_OK;
        if (auto ok = open_session(spec, pin); !ok) return ok;
        return find_key(spec.key.empty() ? "writ-vault" : spec.key);
    }

    std::string_view magic() const override { return kMagic; }

    Result<Bytes> wrap(ByteView key) const override {
        Bytes iv = random_bytes(kIvBytes);
        Bytes sealed(key.size() + kTagBytes);
        CK_ULONG size = sealed.size();
        CK_GCM_PARAMS gcm = params(iv);
        CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof gcm};
        const std::lock_guard lock(mutex_);
        if (const CK_RV code = p11_->C_EncryptInit(session_, &mechanism, key_); code != CKR_OK) {
            return fail(token_error("C_EncryptInit", code));
        }
        Bytes plain(key.begin(), key.end());
        const CK_RV code =
            p11_->C_Encrypt(session_, plain.data(), plain.size(), sealed.data(), &size);
        std::fill(plain.begin(), plain.end(), std::uint8_t{0});
        if (code != CKR_OK) return fail(token_error("C_Encrypt", code));
        sealed.resize(size);
        Bytes out(kMagic.begin(), kMagic.end());
        out.insert(out.end(), iv.begin(), iv.end());
        out.insert(out.end(), sealed.begin(), sealed.end());
        return out;
    }

    Result<SecretBytes> unwrap(ByteView file) const override {
        if (file.size() != kMagic.size() + kIvBytes + kVaultKeyBytes + kTagBytes) {
            return fail(ErrorCode::kCorrupt, "not a vault key");
        }
        const auto iv_view = file.subspan(kMagic.size(), kIvBytes);
        const auto sealed_view = file.subspan(kMagic.size() + kIvBytes);
        Bytes iv(iv_view.begin(), iv_view.end());
        Bytes sealed(sealed_view.begin(), sealed_view.end());
        // Room for a module that answers with more at first.
        SecretBytes plain(kVaultKeyBytes + kTagBytes);
        CK_ULONG size = plain.size();
        CK_GCM_PARAMS gcm = params(iv);
        CK_MECHANISM mechanism{CKM_AES_GCM, &gcm, sizeof gcm};
        const std::lock_guard lock(mutex_);
        if (const CK_RV code = p11_->C_DecryptInit(session_, &mechanism, key_); code != CKR_OK) {
            return fail(token_error("C_DecryptInit", code));
        }
        const CK_RV code =
            p11_->C_Decrypt(session_, sealed.data(), sealed.size(), plain.span().data(), &size);
        if (code != CKR_OK || size != kVaultKeyBytes) {
            return fail(ErrorCode::kForbidden,
                        "the token does not open the vault's key: another token or key, or a "
                        "changed file");
        }
        return SecretBytes(plain.view().first(kVaultKeyBytes));
    }

  private:
    static CK_GCM_PARAMS params(Bytes& iv) {
        static std::array<unsigned char, kLabel.size()> label = [] {
            std::array<unsigned char, kLabel.size()> out{};
            std::copy(kLabel.begin(), kLabel.end(), out.begin());
            return out;
        }();
        CK_GCM_PARAMS out{};
        out.pIv = iv.data();
        out.ulIvLen = iv.size();
        out.ulIvBits = iv.size() * 8;
        out.pAAD = label.data();
        out.ulAADLen = label.size();
        out.ulTagBits = kTagBytes * 8;
        return out;
    }

    Status open_session(const CustodySpec& spec, const SecretBytes& pin) {
        std::array<CK_SLOT_ID, kMaxSlots> slots{};
        CK_ULONG count = slots.size();
        if (const CK_RV code = p11_->C_GetSlotList(CK_TRUE, slots.data(), &count); code != CKR_OK) {
            return fail(token_error("C_GetSlotList", code));
        }
        for (CK_ULONG i = 0; i < count; ++i) {
            CK_TOKEN_INFO info{};
            if (p11_->C_GetTokenInfo(slots.at(i), &info) != CKR_OK) continue;
            if (trimmed(info.label, sizeof info.label) != spec.token) continue;
            const CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
            if (const CK_RV code =
                    p11_->C_OpenSession(slots.at(i), flags, nullptr, nullptr, &session_);
                code != CKR_OK) {
                return fail(token_error("C_OpenSession", code));
            }
            Bytes text(pin.view().begin(), pin.view().end());
            const CK_RV code = p11_->C_Login(session_, CKU_USER, text.data(), text.size());
            std::fill(text.begin(), text.end(), std::uint8_t{0});
            if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN) {
                return fail(token_error("C_Login", code));
            }
            return {};
        }
        return fail(ErrorCode::kUnavailable,
                    fmt::format("no token is called `{}`; see `p11-kit list-modules`", spec.token));
    }

    Status find_key(std::string label) {
        CK_OBJECT_CLASS type = CKO_SECRET_KEY;
        CK_KEY_TYPE aes = CKK_AES;
        CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
        std::array<CK_ATTRIBUTE, 2> wanted = {CK_ATTRIBUTE{CKA_CLASS, &type, sizeof type},
                                              {CKA_LABEL, label.data(), label.size()}};
        CK_ULONG found = 0;
        if (const CK_RV code = p11_->C_FindObjectsInit(session_, wanted.data(), wanted.size());
            code != CKR_OK) {
            return fail(token_error("C_FindObjectsInit", code));
        }
        const CK_RV code = p11_->C_FindObjects(session_, &key_, 1, &found);
        p11_->C_FindObjectsFinal(session_);
        if (code != CKR_OK) return fail(token_error("C_FindObjects", code));
        if (found == 1) return {};
        CK_ULONG size = kVaultKeyBytes;
        std::array<CK_ATTRIBUTE, 9> made = {CK_ATTRIBUTE{CKA_CLASS, &type, sizeof type},
                                            {CKA_KEY_TYPE, &aes, sizeof aes},
                                            {CKA_LABEL, label.data(), label.size()},
                                            {CKA_TOKEN, &yes, sizeof yes},
                                            {CKA_SENSITIVE, &yes, sizeof yes},
                                            {CKA_EXTRACTABLE, &no, sizeof no},
                                            {CKA_ENCRYPT, &yes, sizeof yes},
                                            {CKA_DECRYPT, &yes, sizeof yes},
                                            {CKA_VALUE_LEN, &size, sizeof size}};
        CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
        const CK_RV generated =
            p11_->C_GenerateKey(session_, &mechanism, made.data(), made.size(), &key_);
        if (generated != CKR_OK) return fail(token_error("C_GenerateKey", generated));
        return {};
    }

    void* module_ = nullptr;
    CK_FUNCTION_LIST* p11_ = nullptr;
    bool initialized_ = false;
    mutable std::mutex mutex_;  // guards the session: one operation at a time
    CK_SESSION_HANDLE session_ = 0;
    CK_OBJECT_HANDLE key_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Custody>> pkcs11_custody(const CustodySpec& spec, SecretBytes pin) {
    auto custody = std::make_shared<TokenCustody>();
    if (auto opened = custody->open(spec, pin); !opened) return fail(opened.error());
    return std::shared_ptr<const Custody>(std::move(custody));
}

}  // namespace writ::evidence

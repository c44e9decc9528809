#include "crypto/gcm.h"

#if WRIT_IPSEC_MB

#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>

#include <intel-ipsec-mb.h>

#include "base/secret.h"

namespace writ::crypto {

namespace {

// Forgets which pages of the library's code are in memory: making a manager runs 3 MB of it that
// nothing needs any more, and an idle gateway has a budget. What is needed again is mapped again.
int forget_code(dl_phdr_info* library, std::size_t, void* function) {
    const auto wanted = reinterpret_cast<std::uintptr_t>(function);
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (const auto& part : std::span(library->dlpi_phdr, library->dlpi_phnum)) {
        const std::uintptr_t begin = library->dlpi_addr + part.p_vaddr;
        const bool here = wanted >= begin && wanted - begin < part.p_memsz;
        if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0 || !here) continue;
        const std::uintptr_t from = begin / page * page;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address from the loader's own table
        ::madvise(reinterpret_cast<void*>(from), begin + part.p_memsz - from, MADV_DONTNEED);
        return 1;
    }
    return 0;
}

// The functions for this processor; null if it lacks AES or carry-less multiplication. Only its
// table of functions is used, which no call changes.
IMB_MGR* manager() {
    static IMB_MGR* const made = [] {
        IMB_MGR* const all = alloc_mb_mgr(0);
        if (all == nullptr) return all;
        init_mb_mgr_auto(all, nullptr);
        const auto needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
        ::dl_iterate_phdr(forget_code, reinterpret_cast<void*>(&init_mb_mgr_auto));
        if (imb_get_errno(all) == 0 && (all->features & needed) == needed) return all;
        free_mb_mgr(all);
        return static_cast<IMB_MGR*>(nullptr);
    }();
    return made;
}

// A key expanded and a computation under way; wiped at its end.
struct Work {
    alignas(64) gcm_key_data key;
    gcm_context_data context;

    explicit Work(const GcmMessage& message) {
        IMB_AES256_GCM_PRE(manager(), message.key.data(), &key);
    }
    ~Work() { ::explicit_bzero(this, sizeof *this); }
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
};

// It takes no null pointers, whatever the size.
const std::uint8_t* address(ByteView bytes) {
    static constexpr std::uint8_t kNothing = 0;
    return bytes.empty() ? &kNothing : bytes.data();
}

void seal(const GcmMessage& message, ByteView plain, std::uint8_t* out) {
    Work work(message);
    IMB_AES256_GCM_ENC(manager(), &work.key, &work.context, out, address(plain), plain.size(),
                       message.nonce.data(), address(message.associated), message.associated.size(),
                       out + plain.size(), kGcmTagBytes);
}

bool open(const GcmMessage& message, ByteView cipher, ByteView tag, std::uint8_t* out) {
    Work work(message);
    std::uint8_t nowhere = 0;
    std::array<std::uint8_t, kGcmTagBytes> computed;
    IMB_AES256_GCM_DEC(manager(), &work.key, &work.context, cipher.empty() ? &nowhere : out,
                       address(cipher), cipher.size(), message.nonce.data(),
                       address(message.associated), message.associated.size(), computed.data(),
                       kGcmTagBytes);
    return constant_time_equal(computed, tag);
}

}  // namespace

const Gcm* gcm_of_ipsec_mb() {
    static constexpr Gcm kGcm{seal, open};
    return manager() != nullptr ? &kGcm : nullptr;
}

}  // namespace writ::crypto

#else

namespace writ::crypto {

const Gcm* gcm_of_ipsec_mb() {
    return nullptr;
}

}  // namespace writ::crypto

#endif

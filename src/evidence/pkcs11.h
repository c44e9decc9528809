// The tenant's key under a key that never leaves a PKCS#11 token (a hardware module, or SoftHSM).
// The module is loaded at run time; the header is p11-kit's.
//
//   key file: `WRITKEY3`, 12 bytes of IV, the key under AES-256-GCM (CKM_AES_GCM), tag last
#pragma once

#include "evidence/custody.h"

namespace writ::evidence {

// `spec.module`: the module's file; `token`: the token's label; `key`: label of an AES key on it,
// made (sensitive, not extractable) if there is none. Errors: kUnavailable (module, token),
// kUnauthenticated (PIN).
Result<std::shared_ptr<const Custody>> pkcs11_custody(const CustodySpec& spec, SecretBytes pin);

}  // namespace writ::evidence

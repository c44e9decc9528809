// Asking for a payload that an event refers to. There are three answers, and they differ: it is
// there and matches; it was shredded, by an event that says so; it is missing, which is loss or
// tampering.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evidence/leaf.h"
#include "evidence/log_index.h"
#include "evidence/vault.h"

namespace writ::evidence {

enum class PayloadAnswer : std::uint8_t {
    kMatches,    // `plain` has the bytes
    kShredded,   // `by` names the event
    kMissing,    // the vault should have it, or its key, and has not: loss or tampering
    kDiffers,    // there, but not what the event commits to: tampering
    kNotStored,  // the event itself says that it was not kept (`detail`: its state)
    kError,      // cannot be asked now
};
std::string_view name(PayloadAnswer answer);

struct PayloadView {
    std::string role, media_type, state, cid, kid;
    std::uint64_t bytes = 0;
    PayloadAnswer answer = PayloadAnswer::kError;
    std::string plain;   // kMatches
    std::string by;      // kShredded: event id, empty where no event says so
    std::string detail;  // in words, inert
};

class PayloadReader {
  public:
    // Both must outlive it; without an index every lost key counts as shredded by nobody.
    explicit PayloadReader(Vault& vault, LogIndex* index = nullptr)
        : vault_(vault), index_(index) {}
    // The payloads of an event, in order.
    std::vector<PayloadView> read(const Leaf& leaf);

  private:
    void ask(PayloadView& view, std::string_view com);
    std::optional<std::string> shredded_by(const std::string& kid);

    Vault& vault_;
    LogIndex* index_;
    bool read_shredded_ = false;
    std::map<std::string, std::string> shredded_;  // kid → event
};

}  // namespace writ::evidence

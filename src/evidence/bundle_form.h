// A bundle read strictly into its members (docs/spec/evidence/bundle.md, section 1), before
// anything is believed. Inner header of the room.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/bundle.h"
#include "json/value.h"

namespace writ::evidence {

struct BundleKey {
    std::string name, vkey, fingerprint;  // name: the origin, of a log
};
struct BundleEvent {
    std::uint64_t index = 0;
    std::string leaf;
    std::vector<Sha256> proof;
};
struct BundleChain {
    std::string uid;
    bool whole = false;
    std::uint64_t events = 0;
};
struct Bundle {
    BundleAbout about;
    BundleKey log;
    std::vector<BundleKey> witnesses;
    std::string checkpoint;
    std::vector<BundleEvent> events;
    std::vector<BundleChain> chains;
};

// Errors: kInvalid naming the member, kTooLarge.
Result<Bundle> parse_bundle(std::string_view text);
// One element of `events`. Errors: kInvalid.
Result<BundleEvent> parse_bundle_event(std::string_view text);

class BundleChecker;  // in bundle_check.cc

// The check of a bundle whose events come one after another.
class BundleCheck {
  public:
    // `head` (its events and chains are not looked at) must outlive it; the rest as check_bundle().
    BundleCheck(const Bundle& head, std::string_view vkey,
                const std::vector<std::string>& witnesses, std::size_t quorum);
    ~BundleCheck();
    BundleCheck(const BundleCheck&) = delete;
    BundleCheck& operator=(const BundleCheck&) = delete;
    void event(const BundleEvent& event);
    bool found_nothing() const { return report_.findings.empty(); }
    BundleReport finish(const std::vector<BundleChain>& chains);

  private:
    BundleReport report_;
    std::unique_ptr<BundleChecker> checker_;
    bool usable_ = false;  // key and checkpoint hold: the events can be checked
};

}  // namespace writ::evidence

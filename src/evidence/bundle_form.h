// A bundle read strictly into its members (docs/spec/evidence/bundle.md, section 1), before
// anything is believed. Inner header of the room.
#pragma once

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

}  // namespace writ::evidence

// What a verification found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace writ::verify {

// A wholly damaged log is told apart from a flawed one long before this many.
inline constexpr std::size_t kMaxFindings = 100;

struct Report {
    std::string kind;  // `log` or `bundle`
    std::string origin, fingerprint, root;
    bool self_declared = false;  // the key came with the data: nobody vouches for it
    std::uint64_t size = 0, entries = 0, minimum_index = 0;
    std::uint64_t sessions = 0, open_sessions = 0, gaps = 0;
    std::string quorum = "none";
    std::vector<std::string> cosigned;
    std::vector<std::string> notes;     // true, and worth knowing
    std::vector<std::string> findings;  // empty: everything holds
    std::uint64_t unsaid = 0;

    void finding(std::string what) {
        if (findings.size() < kMaxFindings)
            findings.push_back(std::move(what));
        else
            ++unsaid;
    }
};

// Printable on one line: what others wrote is shown with its control characters escaped.
std::string shown(std::string_view text, std::size_t max_bytes = 200);

}  // namespace writ::verify

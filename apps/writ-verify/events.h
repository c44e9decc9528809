// Writ events in the order of the log: emitters without holes, chains that link, seals that count
// right, calls that end after they were permitted. Memory grows with what is open at the same time,
// and by eight bytes a sealed session.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "report.h"
#include "tree.h"

namespace writ::verify {

// The members of one event that are checked. Views live as long as the leaf's bytes.
struct Event {
    std::string_view version, id, type, tenant, session, call;
    std::string_view emitter, boot, chain, prev;
    std::int64_t attempt = 1, seq = -1, chain_seq = -1;
    std::string_view data;          // its JSON
    std::size_t data_readable = 0;  // bytes from data.data() on
    std::vector<std::string_view> causes;
};

// Reads leaves; reused, since its buffers are.
class EventReader {
  public:
    EventReader();
    ~EventReader();
    // `readable` bytes are readable from leaf.data() on, at least 64 more than the leaf has. Empty
    // on success, else what is wrong.
    std::string_view read(std::string_view leaf, std::size_t readable, Event& out);
    // A member of the event's `data`: a number or a text; -1 or empty when it is not there.
    std::int64_t number(const Event& event, std::string_view name);
    std::string text(const Event& event, std::string_view name);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class EventCheck {
  public:
    // `from_start` is false when the log's beginning was pruned: chains and sequences that began
    // before are taken up where they are.
    EventCheck(Report& report, bool from_start) : report_(report), from_start_(from_start) {}
    void feed(std::uint64_t index, std::string_view leaf, std::size_t readable, const Hash& hash);
    void finish();

  private:
    struct Chain {
        std::uint64_t next = 0, seen = 0, calls = 0, denied = 0;
        Hash prev{};
        bool session = false, whole = true;
        std::vector<std::string> permitted;  // calls that have not ended
    };
    struct Emitter {
        std::uint64_t next = 0, at = 0;
        bool begun = false;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> holes, declared;
    };
    struct Break {
        std::uint64_t index = 0;
        std::string what, emitter;
        std::uint64_t before = 0;
    };

    // Looks names up without making a string of them.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };

    void finding(std::uint64_t index, std::string what);
    void check_emitter(std::uint64_t index, const Event& event);
    void check_chain(std::uint64_t index, const Event& event, const Hash& hash);
    void check_seal(std::uint64_t index, const Event& event, const Chain& chain);
    void check_call(std::uint64_t index, const Event& event, Chain& chain);

    Report& report_;
    const bool from_start_;
    EventReader reader_;
    std::string tenant_, key_;
    std::string emitter_key_;     // whose emitter_ is
    Emitter* emitter_ = nullptr;  // of the event before: mostly of this one too
    std::string call_;            // used again
    std::unordered_map<std::string, Chain, TextHash, std::equal_to<>> chains_;
    std::unordered_set<std::uint64_t> sealed_;  // hashes of session ids
    std::map<std::string, Emitter> emitters_;
    std::vector<Break> breaks_;
};

}  // namespace writ::verify

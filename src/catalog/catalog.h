// Tool servers and what they offer: definitions with their pins, effects as the operator declared
// them, and the rules that map a call to the resource and the data domains it touches.
//
// The catalog is read through immutable snapshots; doors feed it what servers list. A definition
// whose digest is not the pinned one is kept apart and refused until a person pins it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "json/value.h"

namespace writ::catalog {

// What a call of the tool does. Declared by the operator; a server's annotations may raise it,
// never lower it.
enum class Effect : std::uint8_t { kRead, kWrite, kDelete, kSend, kExec, kConfigure, kGrant, kPay };
std::string_view name(Effect effect);
std::optional<Effect> effect_from(std::string_view name);

enum class Sensitivity : std::uint8_t { kPublic, kInternal, kConfidential, kRestricted };
std::string_view name(Sensitivity sensitivity);
std::optional<Sensitivity> sensitivity_from(std::string_view name);

// The operator's word on one tool (writ.toml, [[servers.tools]]).
struct ToolRule {
    std::string tool;              // exact name
    std::optional<Effect> effect;  // absent: kWrite, or higher by annotation
    std::string resource;  // template over arguments: `file://{path}`; empty: `<server>/<tool>`
    std::vector<std::string>
        sensitive;                      // argument names whose canonical form must equal their text
    std::optional<Sensitivity> output;  // sensitivity of what it returns
    bool operator==(const ToolRule&) const = default;
};

struct ServerSpec {
    std::string name;                  // [a-z0-9][a-z0-9-]{0,30}
    std::vector<std::string> command;  // stdio; empty where `url` is set
    std::vector<std::string> env;      // names passed on from the gateway's environment
    std::map<std::string, std::string> set;
    std::string cwd;
    // Streamable HTTP. Secrets are names of variables in the gateway's environment, never values.
    std::string url;
    std::string bearer_env;                         // `Authorization: Bearer`; empty: none
    std::map<std::string, std::string> header_env;  // field name to variable
    std::string ca_file;                            // PEM trusted instead of the system's
    bool shared = false;                            // one instance for all tasks
    // Limits; 0: the gateway's own.
    std::size_t in_flight = 0;          // calls an instance may have at once
    std::int64_t timeout_s = 0;         // for the answer to a call
    std::int64_t calls_per_second = 0;  // to an instance, in bursts of as many
    std::vector<ToolRule> tools;
    bool operator==(const ServerSpec&) const = default;
};

struct DomainRule {
    std::string domain;
    Sensitivity sensitivity = Sensitivity::kRestricted;
    std::vector<std::string>
        resources;  // globs over resource uris: `*` within a segment, `**` across
    bool operator==(const DomainRule&) const = default;
};

// A name as agents see it. `server__tool` as long as it has at most kMaxExposedNameBytes; otherwise
// its beginning, `_` and ten hex digits of SHA-256 over `server/tool`. It depends on nothing else:
// not on other servers, not on their order.
std::string exposed_name(const std::string& server, const std::string& tool);
// Model APIs take names of at most 64 characters.
inline constexpr std::size_t kMaxExposedNameBytes = 64;

// When a server last listed its tools, in the machine's boot time; 0 where nobody said. Shared by
// all its tools; thread: any.
using ListedAt = std::shared_ptr<std::atomic<std::int64_t>>;

struct Tool {
    std::string server, name;
    std::string definition;  // the server's JSON as it came, canonicalised
    Sha256 pin{};            // SHA-256 of `definition`
    Effect effect = Effect::kWrite;
    std::string input_schema;  // JSON text
    std::string description;
    ToolRule rule;
    bool changed = false;  // differs from the pinned definition: refused
    std::string qualified() const { return server + "/" + name; }  // Cedar and grants
    // MCP; `short_name` is exposed_name() where that is not the whole name, else empty.
    std::string exposed() const { return short_name.empty() ? server + "__" + name : short_name; }
    std::string short_name;
    ListedAt listed_at;  // null where it was not listed but read from its pin
};

// What one call touches.
struct Resource {
    std::string uri;
    std::vector<std::string> domains;  // `unclassified` when no rule maps it
    Sensitivity sensitivity = Sensitivity::kRestricted;
    bool operator==(const Resource&) const = default;
};

class Snapshot {
  public:
    // By exposed (`filesystem__read_text_file`) or qualified (`filesystem/read_text_file`) name.
    std::shared_ptr<const Tool> by_exposed(std::string_view exposed) const;
    std::shared_ptr<const Tool> by_qualified(std::string_view qualified) const;
    // By exposed name, a tool that is known and not to be called yet: it was accepted before and
    // its server has not answered since the gateway started, or its first pin is not stored yet.
    std::shared_ptr<const Tool> absent(std::string_view exposed) const;
    const std::vector<std::shared_ptr<const Tool>>& absent_tools() const { return absent_tools_; }
    const std::vector<std::shared_ptr<const Tool>>& tools() const {
        return tools_;
    }  // server order, then the server's
    // Maps a call. A template variable that is absent or not a string, or a path that is not
    // canonical (`..`, `//`, `.`, NUL, percent-encoded separators) is kInvalid: the call is
    // refused. Paths are judged as text; symbolic links are out of scope (catalog/canonical.h). For
    // `{paths[]}` the resource is the first one's uri with the domains of all and the highest
    // sensitivity.
    Result<Resource> resource(const Tool& tool, const json::Value& arguments) const;
    // The domains a uri belongs to: all whose globs match, with the highest sensitivity.
    Resource classify(std::string uri) const;
    // Every sensitive argument present must equal its canonical form. Errors: kInvalid naming the
    // argument.
    Status check_sensitive(const Tool& tool, const json::Value& arguments) const;

  private:
    friend class Catalog;
    void add(const std::shared_ptr<const Tool>& tool);
    void add_absent(const std::shared_ptr<const Tool>& tool);
    struct Rules;  // the compiled globs and templates, shared by all snapshots of a catalog
    std::vector<std::shared_ptr<const Tool>> tools_, absent_tools_;
    std::map<std::string, std::shared_ptr<const Tool>, std::less<>> by_exposed_, by_qualified_;
    std::map<std::string, std::shared_ptr<const Tool>, std::less<>> absent_;  // by exposed name
    std::shared_ptr<const Rules> rules_;
};

struct Pin {
    std::string server, tool;
    Sha256 digest{};
    std::string definition;  // what was accepted; empty where only its digest was kept
    bool operator==(const Pin&) const = default;
};

// When a tool that is seen for the first time is offered.
enum class Offer : std::uint8_t {
    kAtOnce,
    kOnceStored,  // when stored() says that its pin will be there after a restart
};

// Writers hold a mutex; readers take snapshot() and keep it for the call. Thread: any.
class Catalog {
  public:
    // Errors: kInvalid (bad names, duplicate servers, unreadable templates or globs), with what to
    // write instead.
    static Result<std::unique_ptr<Catalog>> make(std::vector<ServerSpec> servers,
                                                 std::vector<DomainRule> domains,
                                                 std::vector<Pin> pins,
                                                 Offer offer = Offer::kAtOnce);
    ~Catalog();
    std::shared_ptr<const Snapshot> snapshot() const;
    std::vector<ServerSpec> servers() const;
    // What policies have to fit: the tools that are listed and, of servers that have not answered
    // since the start, those accepted earlier. For checks only: nothing of it may be called.
    std::shared_ptr<const Snapshot> expected() const;
    // Servers of which nothing is known: they have not answered, and nothing of theirs is pinned.
    std::vector<std::string> unknown_servers() const;

    // Other servers and rules over the same pins, worked out beside what is in force.
    struct Plan {
        std::shared_ptr<const Snapshot> snapshot;  // what commit() puts in force
        std::shared_ptr<const Snapshot> expected;  // as expected()
        std::vector<ServerSpec> servers;
        std::vector<std::vector<std::shared_ptr<const Tool>>> listed, absent;  // as in snapshot
        std::vector<bool> heard;
        std::shared_ptr<const Snapshot> base;  // what it was made from
    };
    // A server that stays keeps the tools it lists, under its new rules; one that is new, or in
    // `forget` (it is started otherwise), offers none until it answers. Errors: as make().
    Result<Plan> plan(std::vector<ServerSpec> servers, std::vector<DomainRule> domains,
                      const std::set<std::string>& forget) const;
    // All of it at once. False, changing nothing, if the catalog changed since plan().
    bool commit(Plan& plan);

    struct Listed {
        std::vector<Pin> first_seen;  // newly pinned; the caller records and stores them
        std::vector<Pin> changed;     // what they are now, unlike their pin; refused until a
                                      // person pins that; listed at every update until then
        std::vector<Pin> kept;        // known by digest only so far; the caller stores them
        std::size_t tools = 0;
        std::vector<std::string> dropped;  // names of tools that are not usable, with the reason
    };
    // Takes a server's tools (the `tools` array of tools/list). Errors: kNotFound, kInvalid,
    // kTooLarge. `boot_us`: now, for Tool::listed_at.
    Result<Listed> update(std::string_view server, const json::Value& tools,
                          std::int64_t boot_us = 0);
    // Under Offer::kOnceStored: first pins of which stored() has not said that they are. The caller
    // stores them until they are; meanwhile their tools are absent().
    std::vector<Pin> unstored() const;
    // `pins` are stored: their tools are offered, unless they changed. Whether anything changed.
    bool stored(const std::vector<Pin>& pins);
    // What was accepted of a tool. Errors: kNotFound.
    Result<Pin> pinned(std::string_view server, std::string_view tool) const;
    // Accepts the current definition of a changed tool. Errors: kNotFound.
    Result<Pin> pin(std::string_view server, std::string_view tool);
    // The same for exactly the definition a person has read: kConflict if the server has changed it
    // since.
    Result<Pin> pin(std::string_view server, std::string_view tool, const Sha256& read);

  private:
    Catalog();
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace writ::catalog

// `writ evidence verify`: the whole log, one bundle, or one receipt.
#include <fmt/format.h>

#include "base/inert.h"
#include "cli/evidence_log.h"
#include "evidence/bundle.h"
#include "evidence/trail.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    Where where;
    std::string bundle, receipt;
    std::vector<std::string> witnesses;
    std::size_t quorum = 0;
};

int verify_log(const Context& context, const Options& options) {
    const auto opened = open_log(context, options.where, Need::kLog);
    if (!opened) {
        // A log that does not even open under its key is a finding, not a usage error.
        const int code = report(context, opened.error());
        return opened.error().code == ErrorCode::kCorrupt ? kFound : code;
    }
    const auto [tree, events] = evidence::check_all((*opened)->log, progress("verify"));
    const std::uint64_t from = (*opened)->log.minimum_index();
    const auto& checkpoint = (*opened)->log.checkpoint();
    std::vector<std::string> findings;
    for (const auto& finding : tree.findings) findings.push_back(finding.what);
    findings.insert(findings.end(), events.findings.begin(), events.findings.end());
    if (context.json) {
        json::Node out = json::Node::object();
        out["origin"] = checkpoint.origin;
        out["size"] = checkpoint.size;
        out["root"] = to_base64(checkpoint.root);
        out["entries"] = tree.entries;
        out["minimum_index"] = from;
        out["sessions"] = events.sessions;
        out["open_sessions"] = events.open_sessions;
        json::Node list = json::Node::array();
        for (const auto& finding : findings) list.push_back(finding);
        out["findings"] = std::move(list);
        out["ok"] = findings.empty();
        print_json(context, versioned("evidence.verify", std::move(out)));
    } else {
        fmt::print("log      {}\nsize     {}\nroot     {}\n", inert(checkpoint.origin),
                   checkpoint.size, to_base64(checkpoint.root));
        if (from > 0)
            fmt::print(
                "pruned   entries below {} are gone: their hashes are verified, and what follows "
                "as far as it stands for itself\n",
                from);
        for (const auto& finding : findings) fmt::print("WRONG    {}\n", inert(finding));
        if (findings.empty())
            fmt::print(
                "ok       {} events, {} sessions ({} open): signature, tree, chains and "
                "causes hold\n",
                tree.entries, events.sessions, events.open_sessions);
        else
            fmt::print("{} findings\n", findings.size());
    }
    return findings.empty() ? kDone : kFound;
}

void print_bundle(const evidence::BundleReport& found) {
    fmt::print(
        "bundle   {} {}\nlog      {}\nkey      {}{}\nsize     {}\n", inert(found.about.kind, 20),
        inert(found.about.id, 200), inert(found.origin, 300), found.fingerprint,
        found.self_declared ? "  SELF-DECLARED: compare it with the log's owner, or give --vkey"
                            : "",
        found.size);
    for (const auto& chain : found.whole) fmt::print("whole    {}\n", chain);
    for (const auto& part : found.parts) fmt::print("part     {}\n", part);
    for (const auto& finding : found.findings) fmt::print("WRONG    {}\n", finding);
    if (found.findings.empty()) {
        fmt::print("ok       {} events are in the log as they stand here; {} witnesses\n",
                   found.events, found.cosignatures);
    } else {
        fmt::print("{} findings\n", found.findings.size());
    }
}

int verify_bundle(const Context& context, const Options& options) {
    const auto text = read_text(options.bundle, evidence::kMaxBundleBytes);
    if (!text) return report(context, text.error());
    std::string vkey;
    if (!options.where.vkey.empty()) {
        const auto key = read_text(options.where.vkey, 4096);
        if (!key) return report(context, key.error());
        vkey = key->substr(0, key->find('\n'));
    }
    const auto found = evidence::check_bundle(*text, vkey, options.witnesses, options.quorum);
    if (context.json) {
        json::Node out = json::Node::object();
        out["origin"] = found.origin;
        out["fingerprint"] = found.fingerprint;
        out["self_declared_key"] = found.self_declared;
        out["size"] = found.size;
        out["events"] = found.events;
        out["cosignatures"] = found.cosignatures;
        out["whole"] = json::Node::array_of(found.whole);
        out["parts"] = json::Node::array_of(found.parts);
        out["findings"] = json::Node::array_of(found.findings);
        out["ok"] = found.findings.empty();
        print_json(context, versioned("evidence.verify-bundle", std::move(out)));
    } else {
        print_bundle(found);
    }
    return found.findings.empty() ? kDone : kFound;
}

int verify_receipt(const Context& context, const Options& options) {
    const auto text = read_text(options.receipt, 8 << 20);
    if (!text) return report(context, text.error());
    const auto claim = evidence::parse_receipt(*text);
    if (!claim) return report(context, claim.error());
    const auto opened = open_log(context, options.where, Need::kLog);
    if (!opened) return report(context, opened.error());
    const auto findings = evidence::check_receipt((*opened)->log, *claim);
    if (context.json) {
        json::Node out = json::Node::object();
        out["index"] = claim->index;
        out["leaf"] = claim->leaf;
        out["findings"] = json::Node::array_of(findings);
        out["ok"] = findings.empty();
        print_json(context, versioned("evidence.verify-receipt", std::move(out)));
    } else {
        for (const auto& finding : findings) fmt::print("WRONG    {}\n", inert(finding));
        if (findings.empty()) {
            fmt::print("ok       entry {} is in the log, under a signed checkpoint of {}\n",
                       claim->index, (*opened)->log.checkpoint().size);
        }
    }
    return findings.empty() ? kDone : kFound;
}

int run(const Context& context, const Options& options) {
    if (!options.bundle.empty()) return verify_bundle(context, options);
    if (options.quorum > 0 || !options.witnesses.empty())
        return report(context, {ErrorCode::kInvalid,
                                "--witness and --quorum are for --bundle; those of a log are "
                                "checked by `writ-verify --trust POLICY LOG`",
                                {}});
    if (!options.receipt.empty()) return verify_receipt(context, options);
    return verify_log(context, options);
}

}  // namespace

void add_verify(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    Command verb = app.add_subcommand("verify", "Check the whole log, a bundle or a receipt");
    const Option bundle =
        verb.add_option("--bundle", options->bundle, "a bundle's file, checked offline");
    verb.add_option("--receipt", options->receipt,
                    "file with a receipt, or with an answer that carries one in `_meta`; - = stdin")
        .excludes(bundle);
    verb.add_option("--witness", options->witnesses, "vkey of a witness (with --bundle)");
    verb.add_option("--quorum", options->quorum,
                    "how many of them must have signed (with --bundle)");
    add_where(verb, std::shared_ptr<Where>(options, &options->where), false);
    verb.footer(
        "Exit code 4: findings.\n"
        "Example: writ evidence verify --log ./log\n"
        "         writ evidence verify --bundle incident.writ-bundle --vkey log.vkey\n"
        "         writ evidence verify --receipt answer.json");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs

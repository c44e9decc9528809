// `writ evidence bundle`: one file that proves what happened, to be checked elsewhere.
#include <fmt/format.h>

#include "base/clock.h"
#include "base/inert.h"
#include "cli/evidence_log.h"
#include "evidence/bundle.h"
#include "evidence/trail.h"
#include "ledger/note.h"
#include "ledger/policy.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    Where where;
    std::string id, out;
    std::vector<std::string> witnesses;
};

// The keys of those who have cosigned the checkpoint: as given, or by the configuration's policy.
Result<std::vector<std::string>> witnesses_of(const Opened& log,
                                              const std::vector<std::string>& given) {
    if (!given.empty() || !log.config || log.config->log.policy.empty()) return given;
    const auto& file = log.config->log.policy;
    const auto text = read_text(file, ledger::kMaxPolicyBytes);
    if (!text) return fail(text.error());
    const auto policy = ledger::TrustPolicy::parse(*text, file.string());
    if (!policy) return fail(policy.error());
    const auto note = ledger::Note::parse(log.log.checkpoint().note);
    if (!note) return fail(note.error());
    std::vector<std::string> out;
    for (const auto& witness : policy->witnesses()) {
        const auto at = ledger::cosigned_at(note->text, note->signatures, witness.key);
        if (!at) return fail(at.error());
        if (!*at) continue;
        out.push_back(
            ledger::make_vkey(witness.key.name, witness.key.key, ledger::KeyRole::kWitness));
    }
    return out;
}

int run(const Context& context, const Options& options) {
    const auto opened = open_log(context, options.where, Need::kIndex);
    if (!opened) return report(context, opened.error());
    Opened& log = **opened;
    const auto found = evidence::find_connected(*log.index, options.id);
    if (!found) return report(context, found.error());
    const auto witnesses = witnesses_of(log, options.witnesses);
    if (!witnesses) return report(context, witnesses.error());
    const SystemClock clock;
    const evidence::BundleAbout about{options.id, found->kind, clock.now_us()};
    const std::string file = options.out.empty() ? options.id + ".writ-bundle" : options.out;
    evidence::BundleReport checked;
    const auto written = write_text(file, [&](const evidence::Sink& sink) -> Status {
        auto made =
            evidence::make_bundle(log.log, log.vkey, *witnesses, about, found->indexes, sink);
        if (!made) return fail(made.error());
        checked = std::move(*made);
        return {};
    });
    if (!written) return report(context, written.error());
    if (context.json && file != "-") {
        json::Node out = json::Node::object();
        out["file"] = file;
        out["events"] = found->indexes.size();
        out["fingerprint"] = checked.fingerprint;
        out["witnesses"] = witnesses->size();
        print_json(context, versioned("evidence.bundle", std::move(out)));
    } else if (file != "-") {
        fmt::print("{}: {} events, {} whole sessions, {} witnesses; log key {}\n", inert(file),
                   found->indexes.size(), checked.whole.size(), witnesses->size(),
                   checked.fingerprint);
    }
    return kDone;
}

}  // namespace

void add_bundle(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    Command verb =
        app.add_subcommand("bundle", "One file with events, proofs, checkpoint and keys");
    verb.add_option("id", options->id, "as for trace").required();
    verb.add_option("-o,--output", options->out, "the file (default: ID.writ-bundle; - = stdout)");
    verb.add_option("--witness", options->witnesses,
                    "vkey of a witness that may have signed the checkpoint (default: those of "
                    "`[log] policy` that have)");
    add_where(verb, std::shared_ptr<Where>(options, &options->where), true);
    verb.footer("Example: writ evidence bundle 01a2… -o incident.writ-bundle");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs

// `writ evidence …`: reads files alone, no gateway needed. One file a verb.
#include "cli/evidence_log.h"
#include "cli/verb.h"

namespace writ::cli {

void add_evidence(Command app, Context& context) {
    app.require_subcommand();
    app.footer("Example: writ evidence verify");
    evidence_verbs::add_trace(app, context);
    evidence_verbs::add_search(app, context);
    evidence_verbs::add_verify(app, context);
    evidence_verbs::add_bundle(app, context);
    evidence_verbs::add_explain(app, context);
    evidence_verbs::add_replay(app, context);
    evidence_verbs::add_shred(app, context);
    evidence_verbs::add_export(app, context);
    evidence_verbs::add_tail(app, context);
    add_evidence_fetch(app, context);
}

}  // namespace writ::cli

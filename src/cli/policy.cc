// `writ policy …`: a table of its verbs, each in a file of its own.
#include "cli/policy_world.h"

namespace writ::cli {

void add_policy(Command app, Context& context) {
    app.require_subcommand();
    app.footer("Example: writ policy check");
    for (const auto add : {add_policy_check, add_policy_authorize, add_policy_test,
                           add_policy_explain, add_policy_schema, add_policy_fmt, add_policy_diff})
        add(app, context);
}

}  // namespace writ::cli

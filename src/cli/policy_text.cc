// `writ policy schema`: the Cedar schema that the policies are checked against.
#include <fmt/format.h>

#include <memory>

#include "base/inert.h"
#include "cedar/schema.h"
#include "cli/policy_world.h"
#include "json/value.h"
#include "policy/check.h"
#include "policy/names.h"
#include "policy/schema.h"

namespace writ::cli {
namespace {

json::Node tools_of(const catalog::Snapshot& catalog, const policy::Shapes& shapes) {
    json::Node out = json::Node::array();
    for (const auto& tool : catalog.tools()) {
        json::Node one = json::Node::object();
        one["tool"] = tool->qualified();
        one["action"] = "Writ::Action::\"" + tool->qualified() + "\"";
        one["type"] = "Writ::Input::" + policy::type_name(tool->qualified());
        one["effect"] = catalog::name(tool->effect);
        one["widened"] = json::Node::array();
        if (const auto* input = shapes.find(tool->qualified()))
            for (const auto& pointer : input->widened) one["widened"].push_back(pointer);
        out.push_back(std::move(one));
    }
    return out;
}

int schema(const Context& context, const PolicyOptions& options, bool cedar_json) {
    auto world = open_policy_world(context, options);
    if (!world) return report(context, world.error());
    const policy::Shapes shapes(*world->world.catalog);
    const auto text =
        policy::schema_text({*world->world.catalog, shapes, world->options.servers, {}, {}});
    if (!text) return report(context, text.error());
    if (!context.json && !cedar_json) {
        fmt::print("{}", *text);
        return kDone;
    }
    cedar::SchemaOptions how;
    how.limits = policy::schema_limits();
    const auto parsed = cedar::Schema::parse(*text, how);
    if (!parsed) return report(context, parsed.error());
    const auto json_text = parsed->to_json();
    if (!json_text) return report(context, json_text.error());
    if (cedar_json && !context.json) {
        fmt::print("{}\n", *json_text);
        return kDone;
    }
    json::Node out = json::Node::object();
    out["cedar"] = *text;
    out["cedar_json"] = json::Node::raw(*json_text);
    out["catalog"] = world->catalog_from;
    out["tools"] = tools_of(*world->world.catalog, shapes);
    print_json(context, versioned("policy.schema", std::move(out)));
    return kDone;
}

}  // namespace

void add_policy_schema(Command app, Context& context) {
    auto options = std::make_shared<PolicyOptions>();
    auto cedar_json = std::make_shared<bool>(false);
    Command verb =
        app.add_subcommand("schema", "Print the Cedar schema that policies are checked against");
    add_world_options(verb, options);
    verb.add_flag("--cedar-json", *cedar_json, "Cedar's JSON schema syntax instead of its own");
    verb.footer(
        "Example: writ policy schema > writ.cedarschema\n"
        "With --json: both syntaxes, and for every tool its action, type and what was widened.");
    verb.callback(
        [&context, options, cedar_json] { return schema(context, *options, *cedar_json); });
}

}  // namespace writ::cli

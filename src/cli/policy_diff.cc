// `writ policy diff`: which calls two policy sets decide differently.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/inert.h"
#include "cli/policy_world.h"
#include "policy/case_file.h"
#include "policy/case_run.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;

struct DiffOptions {
    std::string before, after, catalog;
    std::vector<std::string> cases;
};

Result<PolicyWorld> open_set(const Context& context, const std::string& folder,
                             const std::string& catalog) {
    auto world = open_policy_world(context, {folder, catalog});
    if (!world) return world;
    if (auto made = make_engine(*world); !made) return fail(made.error());
    if (const auto wrong = world->world.engine->report().error()) return fail(*wrong);
    return world;
}

Result<std::vector<policy::Case>> cases_in(const std::vector<std::string>& folders) {
    std::vector<policy::Case> out;
    for (const auto& folder : folders) {
        std::error_code error;
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(folder, error))
            if (entry.path().extension() == ".case" && entry.is_regular_file(error))
                files.push_back(entry.path());
        std::sort(files.begin(), files.end());
        for (const auto& file : files) {
            if (fs::file_size(file, error) > policy::kMaxCaseFileBytes)
                return fail(ErrorCode::kTooLarge, "`" + file.string() + "` is too large");
            std::ifstream in(file, std::ios::binary);
            const std::string text(std::istreambuf_iterator<char>(in), {});
            auto cases = policy::parse_cases(text, file.string());
            if (!cases) return fail(cases.error());
            std::move(cases->begin(), cases->end(), std::back_inserter(out));
        }
    }
    if (out.empty())
        return fail(ErrorCode::kNotFound, "no *.case file there: name folders with --cases");
    return out;
}

std::string told(const policy::Verdict& verdict) {
    return fmt::format("{} ({}): {}", policy::name(verdict.kind), verdict.code, verdict.reason);
}

// Which policies were added, removed or changed, by id.
json::Node changed_policies(const PolicyWorld& before, const PolicyWorld& after) {
    const auto texts = [](const PolicyWorld& world) { return policy::texts_of(world.world); };
    const auto old_texts = texts(before);
    const auto new_texts = texts(after);
    json::Node out = json::Node::object();
    for (const char* key : {"added", "removed", "changed"}) out[key] = json::Node::array();
    for (const auto& [id, text] : new_texts) {
        const auto found = old_texts.find(id);
        if (found == old_texts.end())
            out["added"].push_back(id);
        else if (found->second != text)
            out["changed"].push_back(id);
    }
    for (const auto& [id, text] : old_texts)
        if (!new_texts.contains(id)) out["removed"].push_back(id);
    return out;
}

int diff(const Context& context, const DiffOptions& options) {
    const auto before = open_set(context, options.before, options.catalog);
    if (!before) return report(context, before.error());
    const auto after = open_set(context, options.after, options.catalog);
    if (!after) return report(context, after.error());
    auto folders = options.cases;
    if (folders.empty()) folders = {options.before, options.after};
    const auto cases = cases_in(folders);
    if (!cases) return report(context, cases.error());
    json::Node list = json::Node::array();
    std::size_t changes = 0;
    for (const auto& one : *cases) {
        const auto old_call = policy::Posed::make(one.scenario, before->world);
        const auto new_call = policy::Posed::make(one.scenario, after->world);
        if (!old_call || !new_call)
            return report(context, (old_call ? new_call : old_call).error().in(one.name));
        const auto was = old_call->decide(*before->world.engine);
        const auto is = new_call->decide(*after->world.engine);
        if (was.kind == is.kind && was.obligations == is.obligations && was.holds == is.holds)
            continue;
        ++changes;
        if (!context.json) {
            fmt::print("{}  ({}:{})\n  - {}\n  + {}\n", inert(one.name, 200), inert(one.at.file),
                       one.at.line, inert(told(was), 600), inert(told(is), 600));
            continue;
        }
        json::Node entry = json::Node::object();
        entry["case"] = one.name;
        entry["at"] = fmt::format("{}:{}", one.at.file, one.at.line);
        entry["before"] = policy::to_node(was);
        entry["after"] = policy::to_node(is);
        list.push_back(std::move(entry));
    }
    const json::Node policies = changed_policies(*before, *after);
    if (context.json) {
        json::Node out = json::Node::object();
        out["policies"] = policies;
        out["changes"] = std::move(list);
        out["cases"] = cases->size();
        print_json(context, versioned("policy.diff", std::move(out)));
    } else {
        for (const char* key : {"added", "removed", "changed"})
            for (const auto& id : *policies.if_object()->find(key)->second.if_array())
                fmt::print("policy {:8} {}\n", key, inert(*id.if_string(), 200));
        fmt::print("{} of {} calls are decided differently\n", changes, cases->size());
    }
    return changes > 0 ? kFound : kDone;
}

}  // namespace

void add_policy_diff(Command app, Context& context) {
    auto options = std::make_shared<DiffOptions>();
    Command verb = app.add_subcommand("diff", "Which calls two policy sets decide differently");
    verb.add_option("before", options->before, "folder of *.cedar files").required();
    verb.add_option("after", options->after, "folder of *.cedar files").required();
    verb.add_option("--cases", options->cases,
                    "folders of *.case files to ask both (default: the two folders')");
    verb.add_option("--catalog", options->catalog, "a saved catalog");
    verb.footer(
        "Example: writ policy diff policies policies.new --cases tests/policies\n"
        "Exit codes: 0 no verdict differs, 4 some do, 2 a broken file.");
    verb.callback([&context, options] { return diff(context, *options); });
}

}  // namespace writ::cli

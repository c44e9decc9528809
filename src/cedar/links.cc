// Templates and their links, and policy sets as JSON.
#include <fmt/format.h>

#include "cedar/entities_json.h"
#include "cedar/est.h"
#include "cedar/est_reading.h"
#include "cedar/policy_set.h"
#include "json/node.h"

namespace writ::cedar {
namespace {

constexpr std::string_view kPrincipalSlot = "?principal";
constexpr std::string_view kResourceSlot = "?resource";

// Puts the entity where the slot stands.
Status fill(EntityScope& scope, std::string_view slot, const std::optional<EntityUid>& value,
            std::string_view template_id) {
    if (scope.slot && !value)
        return fail(
            ErrorCode::kInvalid,
            fmt::format("the slot `{}` of the template `{}` has no entity", slot, template_id));
    if (!scope.slot && value)
        return fail(ErrorCode::kInvalid,
                    fmt::format("the template `{}` has no slot `{}`", template_id, slot));
    if (!value) return {};
    scope.uid = Uid(*value);
    scope.slot = false;
    return {};
}

// The members of an object that is there, or none.
std::vector<json::Member> members_of(const json::Value& set, std::string_view key) {
    const auto found = set.find(key);
    return found ? found->members() : std::vector<json::Member>{};
}

Error at(const ParseOptions& options, std::string_view pointer, const Error& error) {
    Error out = error;
    out.detail = fmt::format("at `{}`: {}", pointer, error.detail);
    out.at.file = options.file;
    return out;
}

// One element of `templateLinks`, read.
struct LinkText {
    std::string template_id, new_id;
    SlotValues values;
};

bool read_values(EstReading& reading, const json::Value& value, SlotValues& out) {
    if (!reading.object(value, "an object of entities by slot")) return false;
    for (const json::Member& member : value.members()) {
        const EstReading::Step step(reading, member.key);
        const bool principal = member.key == kPrincipalSlot;
        if (!principal && member.key != kResourceSlot)
            return reading.wrong("a slot is `?principal` or `?resource`");
        if (!reading.uid(member.value, EstReading::Of::kAnything)) return false;
        const json::Value body = member.value.find("__entity").value_or(member.value);
        (principal ? out.principal : out.resource) =
            EntityUid{std::string(*body.string("type")), std::string(*body.string("id"))};
    }
    return true;
}

bool read_link(EstReading& reading, const json::Value& value, LinkText& out) {
    constexpr std::string_view kMembers[] = {"templateId", "newId", "values"};
    if (!reading.exactly(value, kMembers)) return false;
    for (auto [key, place] : {std::pair("templateId", &out.template_id), {"newId", &out.new_id}}) {
        const auto text = value.string(key);
        if (!text) {
            const EstReading::Step step(reading, key);
            return reading.expected("an id, a string", *value.find(key));
        }
        *place = *text;
    }
    const EstReading::Step step(reading, "values");
    return read_values(reading, *value.find("values"), out.values);
}

// Whether the set is an object of the members it may have, each of its kind.
Status check_shape(const json::Value& root, const ParseOptions& options) {
    constexpr std::string_view kMembers[] = {"staticPolicies", "templates", "templateLinks"};
    EstReading reading("", std::string::npos);
    bool well = reading.object(root, "a policy set, an object") && reading.known(root, kMembers);
    for (const json::Member& member : well ? root.members() : std::vector<json::Member>{}) {
        const EstReading::Step step(reading, member.key);
        if (member.key == "templateLinks")
            well = well &&
                   (member.value.is_array() || reading.expected("an array of links", member.value));
        else
            well = well && reading.object(member.value, "an object of policies by id");
        if (!well) break;
    }
    if (well) return {};
    Error error = reading.error();
    error.at.file = options.file;
    return fail(std::move(error));
}

json::Node link_node(const PolicySet::Impl::Entry& entry) {
    json::Node out = json::Node::object();
    out["templateId"] = entry.template_id;
    out["newId"] = entry.id;
    json::Node values = json::Node::object();
    if (entry.values.principal) values[kPrincipalSlot] = uid_node(*entry.values.principal);
    if (entry.values.resource) values[kResourceSlot] = uid_node(*entry.values.resource);
    out["values"] = std::move(values);
    return out;
}

Result<json::Document> read_json(std::string_view text, const ParseOptions& options) {
    json::ParseLimits limits;
    limits.bytes_max = kEstBytesMax;
    limits.depth_max = kEstDepthMax;
    auto document = json::parse(text, limits);
    if (!document) {
        document.error().at.file = options.file;
        return fail(document.error().in("policies as JSON"));
    }
    return document;
}

}  // namespace

Status PolicySet::link(std::string_view template_id, std::string new_id, const SlotValues& values) {
    const auto found = impl_->positions.find(template_id);
    if (found == impl_->positions.end())
        return fail(ErrorCode::kNotFound, fmt::format("no template has the id `{}`", template_id));
    const Impl::Entry& of = impl_->entries[found->second];
    if (!of.policy->is_template())
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` is not a template: it has no slot", template_id));
    if (auto status = impl_->may_add(new_id, 1); !status) return status;
    auto linked = std::make_shared<Policy>(*of.policy);
    if (auto status = fill(linked->principal, kPrincipalSlot, values.principal, template_id);
        !status)
        return status;
    if (auto status = fill(linked->resource, kResourceSlot, values.resource, template_id); !status)
        return status;
    impl_->add({std::move(new_id), std::move(linked), std::string(template_id), values});
    return {};
}

Status PolicySet::add_json(std::string id, std::string_view json, const ParseOptions& options) {
    if (auto status = impl_->may_add(id, 1); !status) return status;
    const auto document = read_json(json, options);
    if (!document) return fail(document.error());
    auto policy = policy_from_json(document->root(), "", options);
    if (!policy) return fail(policy.error());
    impl_->add({std::move(id), std::move(*policy)});
    return {};
}

Result<PolicySet> PolicySet::parse_json(std::string_view json, const ParseOptions& options) {
    const auto document = read_json(json, options);
    if (!document) return fail(document.error());
    const json::Value root = document->root();
    if (auto status = check_shape(root, options); !status) return fail(status.error());
    PolicySet out;
    for (const std::string_view kind : {"staticPolicies", "templates"}) {
        for (const json::Member& member : members_of(root, kind)) {
            const std::string place = pointer_step(kind) + pointer_step(member.key);
            if (auto status = out.impl_->may_add(member.key, 1); !status)
                return fail(at(options, place, status.error()));
            auto policy = policy_from_json(member.value, place, options);
            if (!policy) return fail(policy.error());
            if ((*policy)->is_template() != (kind == "templates"))
                return fail(at(options, place,
                               {ErrorCode::kInvalid,
                                (*policy)->is_template()
                                    ? "a policy with slots stands among the `templates`"
                                    : "a template has a slot, `?principal` or `?resource`"}));
            out.impl_->add({std::string(member.key), std::move(*policy)});
        }
    }
    const auto links = root.find("templateLinks");
    std::size_t i = 0;
    for (const json::Value& value : links ? links->elements() : std::vector<json::Value>{}) {
        const std::string place = fmt::format("/templateLinks/{}", i++);
        EstReading reading(place, std::string::npos);
        LinkText link;
        if (!read_link(reading, value, link)) {
            Error error = reading.error();
            error.at.file = options.file;
            return fail(std::move(error));
        }
        if (auto status = out.link(link.template_id, link.new_id, link.values); !status)
            return fail(at(options, place, status.error()));
    }
    return out;
}

Result<std::string> PolicySet::to_json() const {
    json::Node statics = json::Node::object();
    json::Node templates = json::Node::object();
    json::Node links = json::Node::array();
    std::size_t bytes = 0;
    for (const Impl::Entry& entry : impl_->entries) {
        if (entry.is_link()) {
            links.push_back(link_node(entry));
            continue;
        }
        auto json = policy_to_json(*entry.policy);
        if (!json) return fail(json.error().in(fmt::format("policy `{}`", entry.id)));
        bytes += json->size();
        if (bytes > kEstBytesMax)
            return fail(
                ErrorCode::kTooLarge,
                fmt::format("the policy set as JSON would have more than {} bytes", kEstBytesMax));
        (entry.policy->is_template() ? templates : statics)[entry.id] =
            json::Node::raw(std::move(*json));
    }
    json::Node out = json::Node::object();
    out["staticPolicies"] = std::move(statics);
    out["templates"] = std::move(templates);
    out["templateLinks"] = std::move(links);
    return out.dump();
}

Result<std::string> PolicySet::policy_json(std::string_view id) const {
    const auto found = impl_->positions.find(id);
    if (found == impl_->positions.end())
        return fail(ErrorCode::kNotFound, fmt::format("no policy has the id `{}`", id));
    return policy_to_json(*impl_->entries[found->second].policy);
}

Result<std::string> PolicySet::to_cedar() const {
    std::string out;
    for (const Impl::Entry& entry : impl_->entries) {
        if (entry.is_link())
            return fail(ErrorCode::kUnsupported,
                        fmt::format("`{}` is linked from a template: only the JSON of a policy set "
                                    "has links",
                                    entry.id));
        if (!out.empty()) out += '\n';
        out += entry.policy->text(entry.policy->begin, entry.policy->end);
        out += '\n';
    }
    return out;
}

}  // namespace writ::cedar

// Values and entities as Cedar's JSON. Extension values are calls of their constructors; a moment
// is an offset from 1970, as in the reference, since years beyond 9999 have no other form.
#include <fmt/format.h>

#include <algorithm>

#include "cedar/decimal.h"
#include "cedar/entities.h"
#include "cedar/entities_json.h"
#include "cedar/value.h"
#include "json/node.h"

namespace writ::cedar {
namespace {

json::Node call(std::string_view function, std::string argument) {
    json::Node out = json::Node::object();
    out["__extn"]["fn"] = function;
    out["__extn"]["arg"] = std::move(argument);
    return out;
}

json::Node moment(std::int64_t ms) {
    json::Node out = json::Node::object();
    out["__extn"]["fn"] = "offset";
    out["__extn"]["args"].push_back(call("datetime", "1970-01-01"));
    out["__extn"]["args"].push_back(call("duration", fmt::format("{}ms", ms)));
    return out;
}

Result<json::Node> value_node(const Cell& value);

// Sets have no order: their elements come in that of their texts.
Result<json::Node> set_node(const SetView& set) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < set.size(); ++i) {
        auto element = value_node(set[i]);
        if (!element) return element;
        texts.push_back(element->dump());
    }
    std::sort(texts.begin(), texts.end());
    json::Node out = json::Node::array();
    for (std::string& text : texts) out.push_back(json::Node::raw(std::move(text)));
    return out;
}

Result<json::Node> record_node(const RecordView& record) {
    json::Node out = json::Node::object();
    for (std::size_t i = 0; i < record.size(); ++i) {
        const std::string& key = record.key(i);
        if (key == "__entity" || key == "__extn" || key == "__expr")
            return fail(ErrorCode::kUnsupported,
                        fmt::format("a record with the key `{}` has no JSON: it would be read as "
                                    "an escape",
                                    key));
        auto member = value_node(record.value(i));
        if (!member) return member;
        out[key] = std::move(*member);
    }
    return out;
}

// Recursion: as deep as the value, which its maker bounds.
Result<json::Node> value_node(const Cell& value) {
    switch (value.type()) {
        case Type::kBool:
            return json::Node(value.is_true());
        case Type::kLong:
            return json::Node(value.number());
        case Type::kString:
            return json::Node(value.text());
        case Type::kEntity: {
            json::Node out = json::Node::object();
            out["__entity"] = uid_node(*value.uid().uid);
            return out;
        }
        case Type::kSet:
            return set_node(value.set());
        case Type::kRecord:
            return record_node(value.record());
        case Type::kDecimal:
            return call("decimal", decimal_text(value.number()));
        case Type::kIp:
            return call("ip", value.ip().text());
        case Type::kDatetime:
            return moment(value.number());
        case Type::kDuration:
            return call("duration", fmt::format("{}ms", value.number()));
    }
    return json::Node();
}

// Attributes and tags: what stands on top is no escape.
Result<json::Node> members_node(const Value& record) {
    const RecordView view = Cell::of(record).record();
    json::Node out = json::Node::object();
    for (std::size_t i = 0; i < view.size(); ++i) {
        auto member = value_node(view.value(i));
        if (!member) return fail(member.error().in(fmt::format("`{}`", view.key(i))));
        out[view.key(i)] = std::move(*member);
    }
    return out;
}

Result<json::Node> entity_node(const Entity& entity) {
    json::Node out = json::Node::object();
    out["uid"] = uid_node(entity.uid.uid);
    auto attributes = members_node(entity.attributes);
    if (!attributes) return attributes;
    out["attrs"] = std::move(*attributes);
    if (Cell::of(entity.tags).record().size() > 0) {
        auto tags = members_node(entity.tags);
        if (!tags) return tags;
        out["tags"] = std::move(*tags);
    }
    std::vector<const EntityUid*> parents;
    for (const Uid& parent : entity.parents) parents.push_back(&parent.uid);
    std::sort(parents.begin(), parents.end(),
              [](const EntityUid* a, const EntityUid* b) { return *a < *b; });
    out["parents"] = json::Node::array();
    for (const EntityUid* parent : parents) out["parents"].push_back(uid_node(*parent));
    return out;
}

}  // namespace

json::Node uid_node(const EntityUid& uid) {
    json::Node out = json::Node::object();
    out["type"] = uid.type;
    out["id"] = uid.id;
    return out;
}

Result<std::string> Value::to_json() const {
    const auto node = value_node(Cell::of(*this));
    if (!node) return fail(node.error());
    return node->dump();
}

Result<std::string> Entities::to_json() const {
    std::vector<const Entity*> all;
    for (const Impl* layer = impl_.get(); layer != nullptr; layer = layer->base.get())
        for (const auto& entity : layer->entities)
            if (impl_->find(entity->uid.ref()) == entity.get()) all.push_back(entity.get());
    std::sort(all.begin(), all.end(),
              [](const Entity* a, const Entity* b) { return a->uid.uid < b->uid.uid; });
    std::string out = "[";
    for (const Entity* entity : all) {
        const auto node = entity_node(*entity);
        if (!node) return fail(node.error().in(fmt::format("`{}`", entity->uid.uid.text())));
        if (out.size() > 1) out += ",\n";
        out += node->dump();
    }
    return out + "]";
}

}  // namespace writ::cedar

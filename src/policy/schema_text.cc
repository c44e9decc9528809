// Writes the schema: types of arguments, the fixed part, the actions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "cedar/escape.h"
#include "cedar/names.h"
#include "policy/names.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

// What every call has beside its arguments. request.cc makes the values; policy_test compares.
constexpr std::string_view kFixed = R"(// Agents, what they touch, and what every call carries.
namespace Writ {
  entity Group;
  entity Agent in [Group] = {
    charter: String,
    name: String,
    owner: String
  };
  entity Domain;
  entity Resource in [Domain] = {
    @enum("public internal confidential restricted")
    sensitivity: String,
    uri: String
  };

  type TaskContext = { depth: Long, id: String, purpose: String, root: String };
  type AgentContext = { charter: String, charter_changed: Bool };
  type ToolContext = {
    @enum("read write delete send exec configure grant pay")
    effect: String,
    pin: String
  };
  type FlowContext = {};

  // An argument whose type the tool leaves open: its canonical JSON (RFC 8785), and its value
  // where it is a scalar.
  type Any = { boolean?: Bool, integer?: Long, json: String, string?: String };
  // Arguments that the tool takes but does not name.
  type Others = { json: String, names: Set<String> };

  action "effect:read", "effect:write", "effect:delete", "effect:send", "effect:exec",
         "effect:configure", "effect:grant", "effect:pay";
)";

std::string attribute(std::string_view name) {
    return cedar::is_bare_key(name) ? std::string(name) : cedar::string_literal(name);
}

std::string words_note(const Shape& shape) {
    if (shape.any || shape.words.empty()) return "";
    std::string list;
    for (const auto& word : shape.words) {
        list += (list.empty() ? "" : " ") + word;
        if (list.size() > 1'024) return "";
    }
    return fmt::format("@enum({}) ", cedar::string_literal(list));
}

void write_type(std::string& out, const Shape& shape);

// Whether the schema allows a value here at all, beside null.
bool exists(const ShapePtr& shape) {
    return shape->any || shape->kinds() > 0;
}

class RecordWriter {
  public:
    explicit RecordWriter(std::string& out) : out_(out) { out_ += "{"; }
    void member(std::string_view name, const Shape& shape, bool required) {
        open();
        out_ += words_note(shape) + attribute(name) + (required ? ": " : "?: ");
        write_type(out_, shape);
    }
    void raw(std::string_view name, std::string_view type, bool required) {
        open();
        out_ += fmt::format("{}{}: {}", attribute(name), required ? "" : "?", type);
    }
    void end() { out_ += first_ ? "}" : " }"; }

  private:
    void open() {
        out_ += first_ ? " " : ", ";
        first_ = false;
    }
    std::string& out_;
    bool first_ = true;
};

void write_number(std::string& out, Shape::Number number) {
    out += number == Shape::Number::kLong ? "Long" : "decimal";
}

void write_text(std::string& out, Shape::Text text) {
    constexpr std::array<std::string_view, 5> names = {"", "String", "datetime", "duration",
                                                       "ipaddr"};
    out += names[static_cast<std::size_t>(text)];
}

void write_array(std::string& out, const ArrayShape& array) {
    if (array.element) {
        out += "Set<";
        // A set of nothing has no type in Cedar; it never holds anything either.
        if (exists(array.element))
            write_type(out, *array.element);
        else
            out += "Writ::Any";
        out += ">";
        return;
    }
    RecordWriter record(out);
    for (std::size_t i = 0; i < array.at.size(); ++i)
        if (exists(array.at[i].shape))
            record.member(fmt::format("_{}", i), *array.at[i].shape,
                          array.at[i].required && !array.at[i].shape->null);
    record.end();
}

void write_object(std::string& out, const ObjectShape& object) {
    RecordWriter record(out);
    const bool taken = object.members.contains("*");
    for (const auto& [name, member] : object.members)
        if (exists(member.shape))
            record.member(name, *member.shape, member.required && !member.shape->null);
    if (object.open && !taken) {
        if (object.extra && exists(object.extra)) {
            std::string values;
            write_type(values, *object.extra);
            record.raw(
                "*", fmt::format("{{ json: String, names: Set<String>, values: Set<{}> }}", values),
                false);
        } else {
            record.raw("*", "Writ::Others", false);
        }
    }
    record.end();
}

void write_choice(std::string& out, const Shape& shape) {
    RecordWriter record(out);
    const auto add = [&](std::string_view name, auto&& write) {
        std::string type;
        write(type);
        record.raw(name, type, false);
    };
    if (shape.array) add("array", [&](std::string& t) { write_array(t, *shape.array); });
    if (shape.boolean) record.raw("boolean", "Bool", false);
    if (shape.number == Shape::Number::kLong) record.raw("integer", "Long", false);
    if (shape.number == Shape::Number::kDecimal) record.raw("number", "decimal", false);
    if (shape.object) add("object", [&](std::string& t) { write_object(t, *shape.object); });
    if (shape.text != Shape::Text::kNone)
        add("string", [&](std::string& t) { write_text(t, shape.text); });
    record.end();
}

void write_type(std::string& out, const Shape& shape) {
    if (shape.any || shape.kinds() == 0) {
        out += "Writ::Any";
    } else if (shape.kinds() > 1) {
        write_choice(out, shape);
    } else if (shape.boolean) {
        out += "Bool";
    } else if (shape.number != Shape::Number::kNone) {
        write_number(out, shape.number);
    } else if (shape.text != Shape::Text::kNone) {
        write_text(out, shape.text);
    } else if (shape.array) {
        write_array(out, *shape.array);
    } else {
        write_object(out, *shape.object);
    }
}

void write_action(std::string& out, const catalog::Tool& tool) {
    out += fmt::format(
        "  action {} in [\"effect:{}\", {}] appliesTo {{\n"
        "    principal: [Agent],\n    resource: [Resource],\n    context: {{\n"
        "      agent: AgentContext,\n      flow: FlowContext,\n      input: Writ::Input::{},\n"
        "      now: datetime,\n      subject: String,\n      task: TaskContext,\n"
        "      tool: ToolContext\n    }}\n  }};\n",
        cedar::string_literal(tool.qualified()), catalog::name(tool.effect),
        cedar::string_literal("server:" + tool.server), type_name(tool.qualified()));
}

}  // namespace

Shapes::Shapes(const catalog::Snapshot& catalog) {
    for (const auto& tool : catalog.tools())
        entries_[tool->qualified()] = {tool->pin, read_shape(std::string_view(tool->input_schema))};
}

ShapePtr Shapes::of(const catalog::Tool& tool) const {
    const auto found = entries_.find(tool.qualified());
    if (found != entries_.end() && found->second.pin == tool.pin) return found->second.input.root;
    return read_shape(std::string_view(tool.input_schema)).root;
}

const InputShape* Shapes::find(std::string_view qualified) const {
    const auto found = entries_.find(std::string(qualified));
    return found == entries_.end() ? nullptr : &found->second.input;
}

std::string type_text(const Shape& shape) {
    std::string out;
    write_type(out, shape);
    return out;
}

cedar::SchemaLimits schema_limits() {
    cedar::SchemaLimits out;
    out.bytes_max = kMaxSchemaBytes;
    out.declarations_max = 200'000;
    out.output_bytes_max = 4 * kMaxSchemaBytes;
    return out;
}

Result<std::string> schema_text(const SchemaInput& input) {
    std::string actions, types;
    std::set<std::string> servers(input.servers.begin(), input.servers.end());
    std::map<std::string, const catalog::Tool*> tools;  // by name, whatever order servers list
    for (const auto& tool : input.catalog.tools()) {
        servers.insert(tool->server);
        tools[tool->qualified()] = tool.get();
    }
    std::set<std::string> absent;
    for (const auto& action : input.absent_actions) {
        const std::string server = action.substr(0, action.find('/'));
        if (servers.contains(server) && !tools.contains(action)) absent.insert(action);
    }
    for (const auto& server : servers)
        actions += fmt::format("  action {};\n", cedar::string_literal("server:" + server));
    for (const auto& action : absent)
        actions +=
            fmt::format("  action {} in [{}];\n", cedar::string_literal(action),
                        cedar::string_literal("server:" + action.substr(0, action.find('/'))));
    for (const auto& [name, tool] : tools) {
        if (input.only && *input.only != name) {
            actions += fmt::format("  action {} in [\"effect:{}\", {}];\n",
                                   cedar::string_literal(name), catalog::name(tool->effect),
                                   cedar::string_literal("server:" + tool->server));
            continue;
        }
        write_action(actions, *tool);
        types +=
            fmt::format("  type {} = {};\n", type_name(name), type_text(*input.shapes.of(*tool)));
        if (actions.size() + types.size() > kMaxSchemaBytes)
            return fail(
                ErrorCode::kTooLarge,
                fmt::format("the types of all tools take more than {} MiB", kMaxSchemaBytes >> 20));
    }
    std::string out = std::string(kFixed) + actions + "}\n";
    if (!types.empty())
        out +=
            "\n// The arguments of every tool, by its name (docs/spec/policy-names.md).\n"
            "namespace Writ::Input {\n" +
            types + "}\n";
    return out;
}

}  // namespace writ::policy

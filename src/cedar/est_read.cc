// From the JSON of a policy to its text. Every part is checked where it stands, so that an error
// can name its place; what is left for the parser are its limits. Parentheses stand only where the
// text needs them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cedar/escape.h"
#include "cedar/est.h"
#include "cedar/est_reading.h"
#include "cedar/names.h"
#include "cedar/parser.h"

namespace writ::cedar {
namespace {

class PolicyReader {
  public:
    explicit PolicyReader(EstReading& reading) : reading_(reading) {}

    // False if something is wrong: see error().
    bool policy(const json::Value& value) {
        constexpr std::array<std::string_view, 6> kMembers = {
            "effect", "principal", "action", "resource", "conditions", "annotations"};
        if (!reading_.object(value, "a policy, an object") || !reading_.known(value, kMembers))
            return false;
        if (const auto given = value.find("annotations"); given && !annotations(*given))
            return false;
        if (!effect(value)) return false;
        reading_.out += '(';
        if (!reading_.part(value, "principal",
                           [this](const json::Value& part) { return principal(part); }))
            return false;
        reading_.out += ", ";
        if (!reading_.part(value, "action",
                           [this](const json::Value& part) { return action(part); }))
            return false;
        reading_.out += ", ";
        if (!reading_.part(value, "resource",
                           [this](const json::Value& part) { return resource(part); }))
            return false;
        reading_.out += ')';
        if (!reading_.part(value, "conditions",
                           [this](const json::Value& part) { return conditions(part); }))
            return false;
        reading_.out += ';';
        return true;
    }

  private:
    using Step = EstReading::Step;

    bool annotations(const json::Value& value) {
        const Step step(reading_, "annotations");
        if (!reading_.object(value, "an object of annotations")) return false;
        for (const json::Member& member : value.members()) {
            if (!is_identifier(member.key))
                return reading_.wrong(
                    fmt::format("`{}` cannot name an annotation: names are of ASCII "
                                "letters, digits and `_`",
                                escape(member.key)));
            const Step name(reading_, member.key);
            reading_.out += fmt::format("@{}", member.key);
            const auto text = member.value.as_string();
            if (text)
                reading_.out += fmt::format("({})", string_literal(*text));
            else if (!member.value.is_null())
                return reading_.expected("a string or `null`", member.value);
            reading_.out += '\n';
        }
        return true;
    }

    bool effect(const json::Value& policy) {
        const auto found = policy.find("effect");
        if (!found) return reading_.wrong("missing member `effect`");
        const Step step(reading_, "effect");
        const auto effect = found->as_string();
        if (!effect || (*effect != "permit" && *effect != "forbid"))
            return reading_.expected("`\"permit\"` or `\"forbid\"`", *found);
        reading_.out += *effect;
        return true;
    }

    // Scopes.

    bool principal(const json::Value& value) { return scope(value, "principal"); }
    bool resource(const json::Value& value) { return scope(value, "resource"); }

    bool scope(const json::Value& value, std::string_view variable) {
        if (!reading_.object(value, "a scope, an object with an `op`")) return false;
        const auto op = value.string("op");
        reading_.out += variable;
        if (op == "All") return reading_.known(value, std::array<std::string_view, 1>{"op"});
        if (op == "==" || op == "in") {
            reading_.out += fmt::format(" {} ", *op);
            return target(value, variable, std::array<std::string_view, 3>{"op", "entity", "slot"});
        }
        if (op != "is")
            return reading_.wrong("expected an `op`: `\"All\"`, `\"==\"`, `\"in\"` or `\"is\"`");
        if (!reading_.known(value, std::array<std::string_view, 3>{"op", "entity_type", "in"}))
            return false;
        reading_.out += " is ";
        if (!reading_.part(value, "entity_type",
                           [this](const json::Value& part) { return reading_.type(part); }))
            return false;
        const auto in = value.find("in");
        if (!in) return true;
        const Step step(reading_, "in");
        if (!reading_.object(*in, "an object with an `entity` or a `slot`")) return false;
        reading_.out += " in ";
        return target(*in, variable, std::array<std::string_view, 2>{"entity", "slot"});
    }

    // {"entity": uid} or {"slot": "?variable"}
    bool target(const json::Value& value, std::string_view variable,
                std::span<const std::string_view> members) {
        if (!reading_.known(value, members)) return false;
        const auto slot = value.find("slot");
        if (value.find("entity").has_value() == slot.has_value())
            return reading_.wrong("expected either an `entity` or a `slot`");
        if (!slot)
            return reading_.part(value, "entity", [this](const json::Value& part) {
                return reading_.uid(part, EstReading::Of::kAnything);
            });
        const Step step(reading_, "slot");
        const std::string name = fmt::format("?{}", variable);
        if (slot->as_string() != name)
            return reading_.expected(fmt::format("`\"{}\"`", name), *slot);
        reading_.out += name;
        return true;
    }

    bool action(const json::Value& value) {
        if (!reading_.object(value, "a scope, an object with an `op`")) return false;
        const auto op = value.string("op");
        reading_.out += "action";
        if (op == "All") return reading_.known(value, std::array<std::string_view, 1>{"op"});
        if (op == "==") {
            if (!reading_.known(value, std::array<std::string_view, 2>{"op", "entity"}))
                return false;
            reading_.out += " == ";
            return reading_.part(value, "entity", [this](const json::Value& part) {
                return reading_.uid(part, EstReading::Of::kActions);
            });
        }
        if (op != "in") return reading_.wrong("expected an `op`: `\"All\"`, `\"==\"` or `\"in\"`");
        if (!reading_.known(value, std::array<std::string_view, 3>{"op", "entity", "entities"}))
            return false;
        const auto several = value.find("entities");
        if (value.find("entity").has_value() == several.has_value())
            return reading_.wrong("expected either an `entity` or `entities`");
        reading_.out += " in ";
        if (!several)
            return reading_.part(value, "entity", [this](const json::Value& part) {
                return reading_.uid(part, EstReading::Of::kActions);
            });
        const Step step(reading_, "entities");
        return reading_.list(*several, "an array of entities", '[', ']',
                             [this](const json::Value& part) {
                                 return reading_.uid(part, EstReading::Of::kActions);
                             });
    }

    // Conditions.

    bool conditions(const json::Value& value) {
        if (!value.is_array()) return reading_.expected("an array of conditions", value);
        std::size_t i = 0;
        for (const json::Value& condition : value.elements()) {
            const Step step(reading_, std::to_string(i++));
            constexpr std::array<std::string_view, 2> kMembers = {"kind", "body"};
            if (!reading_.object(condition, "a condition, `{\"kind\": …, \"body\": …}`") ||
                !reading_.known(condition, kMembers))
                return false;
            const auto kind = condition.string("kind");
            if (kind != "when" && kind != "unless")
                return reading_.wrong("expected a `kind`: `\"when\"` or `\"unless\"`");
            reading_.out += fmt::format("\n{} {{ ", *kind);
            if (!reading_.part(condition, "body", [this](const json::Value& part) {
                    return read_est_expression(reading_, part);
                }))
                return false;
            reading_.out += " }";
        }
        return true;
    }

    EstReading& reading_;
};

}  // namespace

Result<std::string> policy_text_of_json(const json::Value& value, std::string_view pointer) {
    EstReading reading(pointer, std::string::npos);
    if (!PolicyReader(reading).policy(value)) return fail(reading.error());
    return std::move(reading.out);
}

Result<std::shared_ptr<const Policy>> policy_from_json(const json::Value& value,
                                                       std::string_view pointer,
                                                       const ParseOptions& options) {
    auto text = policy_text_of_json(value, pointer);
    if (!text) {
        text.error().at.file = options.file;
        return fail(text.error());
    }
    ParseOptions inner = options;
    inner.limits.bytes_max = std::min(inner.limits.bytes_max, kEstBytesMax);
    auto parsed = parse_policies(*text, inner);
    if (parsed) return std::move(parsed->front());
    // The place in the text tells the place in the JSON.
    Error error = parsed.error();
    const Source source({}, *text);
    const std::size_t line = error.at.line == 0 ? 0 : source.line_starts[error.at.line - 1];
    EstReading again(pointer, line + (error.at.column == 0 ? 0 : error.at.column - 1));
    static_cast<void>(PolicyReader(again).policy(value));
    const std::string& place = again.stopped_at();
    error.detail = fmt::format("at `{}`: {}", place.empty() ? pointer : place, error.detail);
    error.at = {options.file, 0, 0};
    return fail(std::move(error));
}

}  // namespace writ::cedar

// Expressions of a policy's JSON, and the values in them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "cedar/ast.h"
#include "cedar/escape.h"
#include "cedar/est.h"
#include "cedar/est_reading.h"
#include "cedar/extension.h"
#include "cedar/names.h"

namespace writ::cedar {
namespace {

// How tightly an expression binds, loosest first: the levels of the grammar.
enum Level { kIfLevel, kOrLevel, kAndLevel, kRelation, kSum, kProduct, kUnary, kMember };

enum class Form { kArgument, kInfix, kMethod };

struct EstOperator {
    std::string_view name;
    Form form;
    Level level;
    Level right;  // the loosest that may stand on the right; the left one may be as `left`
    Level left;
};

constexpr std::array<EstOperator, 20> kEstOperators = {{
    {"!", Form::kArgument, kUnary, kMember, kMember},
    {"neg", Form::kArgument, kUnary, kMember, kMember},
    {"isEmpty", Form::kArgument, kMember, kIfLevel, kMember},
    {"&&", Form::kInfix, kAndLevel, kRelation, kRelation},
    {"||", Form::kInfix, kOrLevel, kAndLevel, kAndLevel},
    {"==", Form::kInfix, kRelation, kSum, kSum},
    {"!=", Form::kInfix, kRelation, kSum, kSum},
    {"<", Form::kInfix, kRelation, kSum, kSum},
    {"<=", Form::kInfix, kRelation, kSum, kSum},
    {">", Form::kInfix, kRelation, kSum, kSum},
    {">=", Form::kInfix, kRelation, kSum, kSum},
    {"in", Form::kInfix, kRelation, kSum, kSum},
    {"+", Form::kInfix, kSum, kProduct, kSum},
    {"-", Form::kInfix, kSum, kProduct, kSum},
    {"*", Form::kInfix, kProduct, kUnary, kProduct},
    {"contains", Form::kMethod, kMember, kIfLevel, kMember},
    {"containsAll", Form::kMethod, kMember, kIfLevel, kMember},
    {"containsAny", Form::kMethod, kMember, kIfLevel, kMember},
    {"getTag", Form::kMethod, kMember, kIfLevel, kMember},
    {"hasTag", Form::kMethod, kMember, kIfLevel, kMember},
}};

const EstOperator* find_operator(std::string_view name) {
    for (const EstOperator& op : kEstOperators)
        if (op.name == name) return &op;
    return nullptr;
}

// What an expression of this key gives. A number below zero is a sign and a number.
Level level_of(std::string_view key, const json::Value& body) {
    if (const EstOperator* op = find_operator(key)) return op->level;
    if (key == "has" || key == "like" || key == "is") return kRelation;
    if (key == "if-then-else") return kIfLevel;
    if (key == "Value" && body.is_number() && body.raw().starts_with('-')) return kUnary;
    return kMember;
}

class Expressions {
  public:
    explicit Expressions(EstReading& reading) : reading_(reading) {}

    bool whole(const json::Value& value) { return expression(value, kIfLevel); }

  private:
    using Step = EstReading::Step;

    // The one member of an expression, or nothing.
    std::optional<json::Member> only_member(const json::Value& value) {
        constexpr std::string_view kWanted =
            "an expression, an object with one member such as `Value`, `Var` or an operator";
        if (!value.is_object() || value.size() != 1) {
            reading_.expected(kWanted, value);
            return std::nullopt;
        }
        return value.members().front();
    }

    // `loosest`: what binds less tightly stands in parentheses. Recursion: bounded by kMaxDepth.
    bool expression(const json::Value& value, Level loosest) {
        const auto member = only_member(value);
        if (!member) return false;
        reading_.mark();
        if (depth_ == kMaxDepth) {
            return reading_.too_deep();
        }
        ++depth_;
        const bool parentheses = level_of(member->key, member->value) < loosest;
        if (parentheses) reading_.out += '(';
        bool done = false;
        {
            const Step step(reading_, member->key);
            done = body(member->key, member->value);
        }
        if (parentheses) reading_.out += ')';
        --depth_;
        return done;
    }

    bool body(std::string_view key, const json::Value& value) {
        if (key == "Value") return literal(value);
        if (key == "Var") return variable(value);
        if (key == "Slot")
            return reading_.wrong("slots stand in the scope only, not in a condition");
        if (const EstOperator* op = find_operator(key)) return operation(*op, value);
        if (key == ".") return attribute(value);
        if (key == "has") return has(value);
        if (key == "like") return like(value);
        if (key == "is") return is(value);
        if (key == "if-then-else") return conditional(value);
        if (key == "Set")
            return reading_.list(value, "an array of expressions", '[', ']',
                                 [this](const json::Value& part) { return whole(part); });
        if (key == "Record") return record(value);
        if (const auto function = find_function(key)) return call(*function, value);
        if (key == "unknown")
            return reading_.wrong(
                "`unknown` stands in the residuals of a partial evaluation, not in a "
                "policy");
        return reading_.wrong(
            fmt::format("`{}` is no operator and no extension function", escape(key)));
    }

    bool variable(const json::Value& value) {
        constexpr std::array<std::string_view, 4> kNames = {"principal", "action", "resource",
                                                            "context"};
        const auto name = value.as_string();
        if (!name || std::find(kNames.begin(), kNames.end(), *name) == kNames.end())
            return reading_.expected(listed(kNames), value);
        reading_.out += *name;
        return true;
    }

    bool child(const json::Value& value, std::string_view key, Level loosest) {
        const Step step(reading_, key);
        return expression(*value.find(key), loosest);
    }

    bool operation(const EstOperator& op, const json::Value& value) {
        constexpr std::array<std::string_view, 1> kOne = {"arg"};
        constexpr std::array<std::string_view, 2> kTwo = {"left", "right"};
        if (op.form == Form::kArgument) {
            if (!reading_.exactly(value, kOne)) return false;
            if (op.name == "isEmpty") {
                if (!child(value, "arg", kMember)) return false;
                reading_.out += ".isEmpty()";
                return true;
            }
            return sign(op, value);
        }
        if (op.name == "&&" || op.name == "||") return chain(op, value);
        if (!reading_.exactly(value, kTwo) || !child(value, "left", op.left)) return false;
        reading_.out +=
            op.form == Form::kMethod ? fmt::format(".{}(", op.name) : fmt::format(" {} ", op.name);
        if (!child(value, "right", op.right)) return false;
        if (op.form == Form::kMethod) reading_.out += ')';
        return true;
    }

    // A minus before a literal would make another literal.
    bool sign(const EstOperator& op, const json::Value& value) {
        const bool minus = op.name == "neg";
        const json::Value arg = *value.find("arg");
        const bool number = arg.is_object() && arg.size() == 1 && arg.find("Value");
        reading_.out += minus ? '-' : '!';
        if (minus && number) reading_.out += '(';
        if (!child(value, "arg", minus && number ? kIfLevel : kMember)) return false;
        if (minus && number) reading_.out += ')';
        return true;
    }

    // `a && b && c` nests to the left as deep as it is long: not by recursion.
    bool chain(const EstOperator& op, const json::Value& value) {
        constexpr std::array<std::string_view, 2> kTwo = {"left", "right"};
        std::vector<json::Value> bodies = {value};
        const std::size_t size = reading_.place().size();
        std::vector<std::size_t> sizes = {size};
        while (true) {
            if (!reading_.exactly(bodies.back(), kTwo)) return false;
            const json::Value left = *bodies.back().find("left");
            const auto same =
                left.is_object() && left.size() == 1 ? left.find(op.name) : std::nullopt;
            if (!same) break;
            reading_.place() += "/left" + pointer_step(op.name);
            sizes.push_back(reading_.place().size());
            bodies.push_back(*same);
        }
        if (!child(bodies.back(), "left", op.left)) return false;
        while (!bodies.empty()) {
            reading_.place().resize(sizes.back());
            reading_.out += fmt::format(" {} ", op.name);
            if (!child(bodies.back(), "right", op.right)) return false;
            bodies.pop_back();
            sizes.pop_back();
        }
        return true;
    }

    // .name or ["any string"]
    void add_attribute(std::string_view name) {
        reading_.out += is_bare_key(name) ? fmt::format(".{}", name)
                                          : fmt::format("[{}]", string_literal(name));
    }

    bool attribute(const json::Value& value) {
        constexpr std::array<std::string_view, 2> kMembers = {"left", "attr"};
        if (!reading_.exactly(value, kMembers) || !child(value, "left", kMember)) return false;
        const Step step(reading_, "attr");
        const json::Value name = *value.find("attr");
        if (!name.is_string()) return reading_.expected("the name of an attribute", name);
        add_attribute(*name.as_string());
        return true;
    }

    bool has(const json::Value& value) {
        constexpr std::array<std::string_view, 2> kMembers = {"left", "attr"};
        if (!reading_.exactly(value, kMembers) || !child(value, "left", kSum)) return false;
        const Step step(reading_, "attr");
        const json::Value attr = *value.find("attr");
        reading_.out += " has ";
        if (const auto name = attr.as_string()) {
            reading_.out += is_bare_key(*name) ? std::string(*name) : string_literal(*name);
            return true;
        }
        if (!attr.is_array() || attr.size() == 0)
            return reading_.expected("the name of an attribute, or an array of at least one", attr);
        const auto names = attr.elements();
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto name = names[i].as_string();
            if (!name || (!is_bare_key(*name) && names.size() > 1))
                return reading_.expected("identifiers, as a path of several names has", attr);
            if (i > 0) reading_.out += '.';
            reading_.out += is_bare_key(*name) ? std::string(*name) : string_literal(*name);
        }
        return true;
    }

    bool like(const json::Value& value) {
        constexpr std::array<std::string_view, 2> kMembers = {"left", "pattern"};
        if (!reading_.exactly(value, kMembers) || !child(value, "left", kSum)) return false;
        const Step step(reading_, "pattern");
        const json::Value pattern = *value.find("pattern");
        if (!pattern.is_array())
            return reading_.expected("an array of `\"Wildcard\"` and `{\"Literal\": …}`", pattern);
        reading_.out += " like \"";
        std::size_t i = 0;
        for (const json::Value& piece : pattern.elements()) {
            const Step at(reading_, std::to_string(i++));
            const auto literal =
                piece.is_object() && piece.size() == 1 ? piece.string("Literal") : std::nullopt;
            if (!literal && piece.as_string() != "Wildcard")
                return reading_.expected("`\"Wildcard\"` or `{\"Literal\": …}`", piece);
            if (!literal) {
                reading_.out += '*';
                continue;
            }
            for (const char c : escape(*literal)) {
                if (c == '*') reading_.out += '\\';
                reading_.out += c;
            }
        }
        reading_.out += '"';
        return true;
    }

    bool is(const json::Value& value) {
        constexpr std::array<std::string_view, 3> kMembers = {"left", "entity_type", "in"};
        if (!reading_.object(value, "an object with `left`, `entity_type` and maybe `in`") ||
            !reading_.known(value, kMembers))
            return false;
        if (!value.find("left")) return reading_.wrong("missing member `left`");
        if (!child(value, "left", kSum)) return false;
        reading_.out += " is ";
        if (!reading_.part(value, "entity_type",
                           [this](const json::Value& part) { return reading_.type(part); }))
            return false;
        if (!value.find("in")) return true;
        reading_.out += " in ";
        return child(value, "in", kSum);
    }

    bool conditional(const json::Value& value) {
        constexpr std::array<std::string_view, 3> kMembers = {"if", "then", "else"};
        if (!reading_.exactly(value, kMembers)) return false;
        reading_.out += "if ";
        if (!child(value, "if", kIfLevel)) return false;
        reading_.out += " then ";
        if (!child(value, "then", kIfLevel)) return false;
        reading_.out += " else ";
        return child(value, "else", kIfLevel);
    }

    template <class Read>
    bool members(const json::Value& value, Read read) {
        reading_.out += '{';
        bool first = true;
        for (const json::Member& member : value.members()) {
            const Step step(reading_, member.key);
            if (!first) reading_.out += ", ";
            first = false;
            reading_.out +=
                is_bare_key(member.key) ? std::string(member.key) : string_literal(member.key);
            reading_.out += ": ";
            if (!read(member.value)) return false;
        }
        reading_.out += '}';
        return true;
    }

    bool record(const json::Value& value) {
        return reading_.object(value, "an object of expressions") &&
               members(value, [this](const json::Value& part) { return whole(part); });
    }

    bool call(Function function, const json::Value& value) {
        const std::string_view name = info(function).name;
        if (is_constructor(function)) {
            reading_.out += name;
            return reading_.list(value, "an array of arguments", '(', ')',
                                 [this](const json::Value& part) { return whole(part); });
        }
        if (!value.is_array() || value.size() == 0)
            return reading_.expected("an array of the receiver and the arguments", value);
        std::size_t i = 0;
        for (const json::Value& argument : value.elements()) {
            const Step step(reading_, std::to_string(i));
            if (!expression(argument, i == 0 ? kMember : kIfLevel)) return false;
            if (i == 0)
                reading_.out += fmt::format(".{}(", name);
            else if (i + 1 < value.size())
                reading_.out += ", ";
            ++i;
        }
        reading_.out += ')';
        return true;
    }

    // Values as data has them, with the escapes `__entity` and `__extn`.

    bool literal(const json::Value& value) {
        switch (value.kind()) {
            case json::Kind::kNull:
                return reading_.wrong("there is no `null` in Cedar");
            case json::Kind::kBool:
                reading_.out += value.raw();
                return true;
            case json::Kind::kNumber:
                if (!value.as_i64()) return reading_.expected("a 64-bit integer", value);
                reading_.out += std::to_string(*value.as_i64());
                return true;
            case json::Kind::kString:
                reading_.out += string_literal(*value.as_string());
                return true;
            default:
                break;
        }
        if (depth_ == kMaxDepth) {
            return reading_.too_deep();
        }
        ++depth_;
        const bool done = container(value);
        --depth_;
        return done;
    }

    bool container(const json::Value& value) {
        if (value.is_array())
            return reading_.list(value, "an array", '[', ']',
                                 [this](const json::Value& part) { return literal(part); });
        if (value.size() == 1 && value.find("__entity"))
            return reading_.uid(value, EstReading::Of::kAnything);
        if (value.size() == 1 && value.find("__expr"))
            return reading_.wrong("the escape `__expr` is no longer supported");
        const auto call = value.size() == 1 ? value.find("__extn") : std::nullopt;
        if (!call) return members(value, [this](const json::Value& part) { return literal(part); });
        const Step step(reading_, "__extn");
        return extension(*call);
    }

    // {"fn": name, "arg": value} or {"fn": name, "args": [value…]}
    bool extension(const json::Value& call) {
        constexpr std::array<std::string_view, 3> kMembers = {"fn", "arg", "args"};
        if (!reading_.object(call, "a call, `{\"fn\": …, \"arg\": …}`") ||
            !reading_.known(call, kMembers))
            return false;
        const auto name = call.string("fn");
        const auto function = name ? find_function(*name) : std::nullopt;
        if (!function) return reading_.wrong("expected an `fn`, the name of an extension function");
        const auto several = call.find("args");
        if (call.find("arg").has_value() == several.has_value())
            return reading_.wrong("expected either an `arg` or `args`");
        std::vector<json::Value> arguments;
        if (several && !several->is_array())
            return reading_.expected("an array of `args`", *several);
        if (several)
            arguments = several->elements();
        else
            arguments.push_back(*call.find("arg"));
        const bool method = !is_constructor(*function);
        if (method && arguments.empty()) return reading_.wrong("expected a receiver in `args`");
        if (!method) reading_.out += fmt::format("{}(", *name);
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            if (i > (method ? 1U : 0U)) reading_.out += ", ";
            const bool receiver = method && i == 0;
            if (receiver) reading_.out += '(';
            if (!literal(arguments[i])) return false;
            if (receiver) reading_.out += fmt::format(").{}(", *name);
        }
        reading_.out += ')';
        return true;
    }

    EstReading& reading_;
    std::size_t depth_ = 0;
};

}  // namespace

bool read_est_expression(EstReading& reading, const json::Value& value) {
    return Expressions(reading).whole(value);
}

}  // namespace writ::cedar

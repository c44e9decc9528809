#include "cedar/scope.h"

#include <fmt/format.h>

#include <array>

#include "cedar/names.h"

namespace writ::cedar {
namespace {

constexpr std::string_view kOrder =
    "policy scopes must contain a `principal`, `action`, and `resource` element in that order";

// What stands after `==` or `in`: entities, a set of them, or a slot; in any parentheses.
struct Target {
    std::vector<EntityUid> uids;
    bool is_set = false;
    std::string_view slot;  // empty: none
    std::uint32_t begin = 0;
};

class ScopeParser {
  public:
    ScopeParser(Cursor& cursor, Policy& policy) : cursor_(cursor), policy_(policy) {}

    bool parse() {
        if (!cursor_.expect(Kind::kLeftParen, "`(` and the scope of the policy")) return false;
        constexpr std::array<std::string_view, 3> kVariables = {"principal", "action", "resource"};
        std::size_t count = 0;
        while (cursor_.at(Kind::kIdentifier)) {
            if (!element(count < kVariables.size() ? kVariables[count] : "")) return false;
            ++count;
            if (!cursor_.accept(Kind::kComma)) break;
        }
        if (count < kVariables.size() && cursor_.at(Kind::kRightParen)) {
            cursor_.report(cursor_.now().begin,
                           fmt::format("this policy is missing the `{}` variable in the scope; {}",
                                       kVariables[count], kOrder));
            return false;
        }
        return cursor_.expect(Kind::kRightParen, "`,` or `)`");
    }

  private:
    // One of the three; `wanted` is empty after the third.
    bool element(std::string_view wanted) {
        const Token token = cursor_.now();
        const std::string_view found = cursor_.text(token);
        const auto wrong = [&](std::string message) {
            cursor_.report(token.begin, fmt::format("{}; {}", message, kOrder));
            return false;
        };
        if (wanted.empty())
            return wrong(fmt::format("this policy has an extra element in the scope: {}", found));
        if (found != "principal" && found != "action" && found != "resource")
            return wrong(fmt::format("found an invalid variable in the policy scope: {}", found));
        if (found != wanted)
            return wrong(fmt::format("found the variable `{}` where the variable `{}` must be used",
                                     found, wanted));
        cursor_.advance();
        if (cursor_.at(Kind::kColon)) {
            cursor_.report(cursor_.now().begin,
                           "type constraints using `:` are not supported: try using `is` instead");
            return false;
        }
        if (wanted == "action") return action(token.begin);
        return entity(wanted == "principal" ? policy_.principal : policy_.resource, wanted,
                      token.begin);
    }

    // [is Type] [(== | in) Target]
    bool entity(EntityScope& scope, std::string_view variable, std::uint32_t begin) {
        scope.begin = begin;
        if (cursor_.accept_word("is") && !type(scope)) return false;
        const Token op = cursor_.now();
        scope.kind = kind();
        scope.end = cursor_.last_end();
        if (scope.kind == ScopeKind::kAny) return true;
        if (scope.kind == ScopeKind::kEqual && !scope.type.empty()) {
            cursor_.report(op.begin,
                           "`is` cannot be used together with `==`: try using `_ is _ in _`");
            return false;
        }
        cursor_.advance();
        Target target;
        if (!read(target, "an entity uid or matching template slot", 0)) return false;
        scope.end = cursor_.last_end();
        if (target.is_set) {
            cursor_.report(target.begin,
                           "expected single entity uid or template slot, found set of entity uids");
        } else if (!target.slot.empty()) {
            scope.slot = true;
            if (target.slot.substr(1) != variable)
                cursor_.report(target.begin,
                               fmt::format("expected an entity uid or matching template slot, "
                                           "found {} instead of ?{}",
                                           target.slot, variable));
        } else {
            scope.uid = Uid(std::move(target.uids[0]));
        }
        if (!cursor_.at_word("is")) return true;
        cursor_.report(cursor_.now().begin,
                       "when `is` and `in` are used together, `is` must come first: try `_ is _ "
                       "in _`");
        return false;
    }

    bool type(EntityScope& scope) {
        auto read_type = cursor_.reference("the name of an entity type after `is`");
        if (!read_type) return false;
        if (read_type->id) {
            cursor_.report(read_type->begin,
                           fmt::format("right hand side of an `is` expression must be an entity "
                                       "type name: write `is {0}`, or `== {0}::\"…\"`",
                                       read_type->name));
            return false;
        }
        scope.type = std::move(read_type->name);
        return true;
    }

    // [(== | in) Target]
    bool action(std::uint32_t begin) {
        ActionScope& scope = policy_.action;
        scope.begin = begin;
        if (cursor_.at_word("is")) {
            cursor_.report(cursor_.now().begin,
                           "`is` cannot appear in the action scope: try moving `action is ..` "
                           "into a `when` condition");
            return false;
        }
        scope.kind = kind();
        scope.end = cursor_.last_end();
        if (scope.kind == ScopeKind::kAny) return true;
        cursor_.advance();
        Target target;
        const std::string_view wanted = scope.kind == ScopeKind::kEqual
                                            ? "single entity uid"
                                            : "single entity uid or set of entity uids";
        if (!read(target, wanted, 0)) return false;
        scope.end = cursor_.last_end();
        if (!target.slot.empty())
            cursor_.report(target.begin, fmt::format("expected {}, found template slot", wanted));
        if (target.is_set && scope.kind == ScopeKind::kEqual)
            cursor_.report(target.begin,
                           fmt::format("expected {}, found set of entity uids: use `in`", wanted));
        for (EntityUid& uid : target.uids) {
            if (!is_action_type(uid.type))
                cursor_.report(target.begin,
                               fmt::format("expected an entity uid with type `Action` but got "
                                           "`{}`: action entities must have type `Action`, "
                                           "optionally in a namespace",
                                           uid.text()));
            scope.uids.emplace_back(std::move(uid));
        }
        return true;
    }

    ScopeKind kind() {
        if (cursor_.at(Kind::kAssign)) {
            cursor_.report(cursor_.now().begin,
                           "'=' is not a valid operator in Cedar: try using `==` instead");
            return ScopeKind::kEqual;
        }
        if (cursor_.at(Kind::kEqual)) return ScopeKind::kEqual;
        return cursor_.at_word("in") ? ScopeKind::kIn : ScopeKind::kAny;
    }

    bool read(Target& out, std::string_view wanted, std::size_t depth) {
        out.begin = cursor_.now().begin;
        if (depth >= kMaxDepth) {
            cursor_.report_too_large(out.begin, "too many parentheses");
            return false;
        }
        if (cursor_.at(Kind::kSlot)) {
            out.slot = cursor_.text(cursor_.now());
            cursor_.advance();
            return true;
        }
        if (cursor_.accept(Kind::kLeftParen))
            return read(out, wanted, depth + 1) && cursor_.expect(Kind::kRightParen, "`)`");
        if (cursor_.accept(Kind::kLeftBracket)) return set(out, depth);
        const auto uid = cursor_.reference(wanted);
        if (!uid) return false;
        if (!uid->id) {
            cursor_.report(uid->begin,
                           fmt::format("expected {}, found name `{}`: try using `is` to test for "
                                       "an entity type, or write `{}::\"…\"`",
                                       wanted, uid->name, uid->name));
            return false;
        }
        out.uids.push_back({uid->name, *uid->id});
        return true;
    }

    bool set(Target& out, std::size_t depth) {
        const std::uint32_t begin = out.begin;
        while (!cursor_.at(Kind::kRightBracket)) {
            Target element;
            if (!read(element, "an entity uid", depth + 1)) return false;
            if (element.is_set || !element.slot.empty()) {
                cursor_.report(element.begin, fmt::format("expected single entity uid, found {}",
                                                          element.is_set ? "set of entity uids"
                                                                         : "template slot"));
                return false;
            }
            out.uids.push_back(std::move(element.uids[0]));
            if (!cursor_.accept(Kind::kComma)) break;
        }
        out.is_set = true;
        out.begin = begin;
        return cursor_.expect(Kind::kRightBracket, "`,` or `]`");
    }

    Cursor& cursor_;
    Policy& policy_;
};

}  // namespace

bool parse_scope(Cursor& cursor, Policy& policy) {
    return ScopeParser(cursor, policy).parse();
}

}  // namespace writ::cedar

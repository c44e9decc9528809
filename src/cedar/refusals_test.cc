// What the reference engine accepts and refuses, recorded with its words: ours begin the same and
// then say what to write.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "cedar/cedar.h"

namespace writ::cedar {
namespace {

struct Recorded {
    std::string_view text;
    std::string_view error;  // empty: accepted
};

constexpr std::string_view kAccepted;

constexpr Recorded kRecorded[] = {
    {R"(permit(principal in (User::"a"), action, resource);)", kAccepted},
    {R"(permit(principal, action in (Action::"a"), resource);)", kAccepted},
    {R"(permit(principal, action in [(Action::"a")], resource);)", kAccepted},
    {R"(permit(principal, action in ([Action::"a"]), resource);)", kAccepted},
    {R"(permit(principal, action in [Action::"a",], resource,);)", kAccepted},
    {R"(permit(principal, action in [[Action::"a"]], resource,);)",
     R"(expected single entity uid, found set of entity uids)"},
    {R"(permit(principal, action == [Action::"a"], resource);)",
     R"(expected single entity uid, found set of entity uids)"},
    {R"(permit(principal == [User::"a"], action, resource);)",
     R"(expected single entity uid or template slot, found set of entity uids)"},
    {R"(permit(principal == principal, action, resource);)",
     R"(expected an entity uid or matching template slot, found name `principal`)"},
    {R"(permit(principal is User == User::"a", action, resource);)",
     R"(`is` cannot be used together with `==`)"},
    {R"(permit(principal in User::"a" is User, action, resource);)",
     R"(when `is` and `in` are used together, `is` must come first)"},
    {R"(permit(principal: User, action, resource);)",
     R"(type constraints using `:` are not supported)"},
    {R"(permit(principal, action: Action, resource);)",
     R"(type constraints using `:` are not supported)"},
    {R"(permit(principal, action, resource, foo);)",
     R"(this policy has an extra element in the scope: foo)"},
    {R"(permit(principal, action);)",
     R"(this policy is missing the `resource` variable in the scope)"},
    {R"(permit(action, principal, resource);)",
     R"(found the variable `action` where the variable `principal` must be used)"},
    {R"(permit(foo, action, resource);)", R"(found an invalid variable in the policy scope: foo)"},
    {R"(permit();)", R"(this policy is missing the `principal` variable in the scope)"},
    {R"(permit(principal, action is Action, resource);)",
     R"(`is` cannot appear in the action scope)"},
    {R"(permit(principal, action == User::"a", resource);)",
     R"(expected an entity uid with type `Action` but got `User::"a"`)"},
    {R"(permit(principal, action in ?action, resource);)",
     R"(expected single entity uid or set of entity uids, found template slot)"},
    {R"(permit(principal == ?resource, action, resource);)",
     R"(expected an entity uid or matching template slot, found ?resource instead of ?principal)"},
    {R"(permit(principal == ?foo, action, resource);)",
     R"(expected an entity uid or matching template slot, found ?foo instead of ?principal)"},
    {R"(permit(principal, action == ?principal, resource);)",
     R"(expected single entity uid, found template slot)"},
    {R"(permit(principal, action, resource) when {};)",
     R"(`when` condition clause cannot be empty)"},
    {R"(permit(principal, action, resource) if {true};)", R"(invalid policy condition: if)"},
    {R"(permit(principal, action, resource) when {foo};)", R"(invalid variable: foo)"},
    {R"(permit(principal, action, resource) when {principal(1)};)",
     R"(`principal(...)` is not a valid function call)"},
    {R"(permit(principal, action, resource) when {(1)(1)};)",
     R"(function calls must be of the form `<name>(arg1, arg2, ...)`)"},
    {R"(permit(principal, action, resource) when {a::b(1)};)", R"(`a::b` is not a valid function)"},
    {R"(permit(principal, action, resource) when {a::b};)", R"(invalid variable: a::b)"},
    {R"(permit(principal, action, resource) when {principal[1]};)", R"(invalid string literal: 1)"},
    {R"(permit(principal, action, resource) when {principal[foo]};)",
     R"(invalid string literal: foo)"},
    {R"(permit(principal, action, resource) when {"a" like principal};)",
     R"(right hand side of a `like` expression must be a pattern literal, but got `principal`)"},
    {R"(permit(principal, action, resource) when {principal is "a"};)",
     R"(right hand side of an `is` expression must be an entity type name, but got `"a"`)"},
    {R"(permit(principal, action, resource) when {{1: 1} has a};)", R"(invalid attribute name: 1)"},
    {R"(permit(principal, action, resource))", R"(unexpected end of input)"},
    {R"(allow(principal, action, resource);)", R"(invalid policy effect: allow)"},
    {R"(@a("x") @a permit(principal, action, resource);)", R"(duplicate annotation: @a)"},
    {R"(@if @b(1) permit(principal, action, resource);)", R"(unexpected token `1`)"},
    {R"(permit(principal, action, resource) when {-true};)", kAccepted},
    {R"(permit(principal, action, resource) when {principal.__cedar};)",
     R"(The name `__cedar` contains `__cedar`, which is reserved)"},
    {R"(permit(principal, action, resource) when {principal.__cedarx == 1};)", kAccepted},
    {R"(permit(principal, action, resource) when {principal["__cedar"] == 1};)", kAccepted},
    {R"(permit(principal is __cedar, action, resource);)",
     R"(The name `__cedar` contains `__cedar`, which is reserved)"},
    {R"(permit(principal, action, resource) when {?foo};)",
     R"(`?foo` is not a valid template slot)"},
    {R"(permit(principal, action, resource) when {principal has a == true};)",
     R"(unexpected token `==`)"},
    {R"(permit(principal, action, resource) when {principal in principal in principal};)",
     "multiple relational operators (>, ==, in, etc.) must be used with parentheses to make "
     "ordering explicit"},
    {R"(permit(principal, action, resource) when {1 has a like "b"};)",
     R"(unexpected token `like`)"},
    {R"(permit(principal, action, resource) when {principal is User in User::"a" in 1};)",
     R"(unexpected token `in`)"},
    {R"(permit(principal, action, resource) when {"\u{1234567}" == ""};)",
     R"(the input `\u{1234567}` is not a valid escape)"},
    {R"(permit(principal, action, resource) when {"\q \x" == ""};)",
     R"(the input `\q` is not a valid escape)"},
    {R"(permit(principal, action, resource) when {"abc};)", R"(invalid token)"},
    {R"(permit(principal, action, resource) when {1 & 2};)", R"(invalid token)"},
    {R"(permit(principal, action, resource) when {(1 = 2) && foo(1) && [].bar()};)",
     R"('=' is not a valid operator in Cedar)"},
    {R"(permit(principal, action, resource) when {context.a.b.contains(1,2)};)",
     R"(call to `contains` requires exactly 1 argument, but got 2 arguments)"},
    {R"(permit(principal, action, resource) when { {if: 1} };)",
     R"(this identifier is reserved and cannot be used: if)"},
    {R"(permit(principal, action, resource) when { principal.(a) };)", R"(unexpected token `(`)"},
    {R"(permit(principal, action, resource) when { principal has __cedar };)",
     R"(The name `__cedar` contains `__cedar`, which is reserved)"},
    {R"(permit(principal, action, resource) when { User::"\q" == principal };)",
     R"(the input `\q` is not a valid escape)"},
    {R"(@a("\q") permit(principal, action, resource);)", R"(the input `\q` is not a valid escape)"},
    {R"(permit(principal, action, resource) when { [1,,2] };)", R"(unexpected token `,`)"},
    {R"(permit(principal in if::User::"a", action, resource);)",
     R"(this identifier is reserved and cannot be used: if)"},
};

// Refused by both, where our parser gets stuck at another token or says it otherwise.
constexpr Recorded kOwnWords[] = {
    {R"(permit(principal, action, resource) when {principal[("a")]};)",
     R"(unexpected token `(`: expected the name of an attribute in quotes)"},
    {R"(permit(principal, action, resource) when {"a" like ("b")};)",
     R"(right hand side of a `like` expression must be a pattern literal, but got `(`)"},
    {R"(permit(principal, action, resource) when {principal has ("b")};)",
     R"(unexpected token `(`: expected a sequence of identifiers)"},
    {R"(permit(principal, action, resource) when {principal has a["b"]};)",
     R"(unexpected token `[`)"},
    {R"(permit(principal, action, resource) when {principal has "a".b};)",
     R"(unexpected token `.`)"},
    {R"(permit(principal, action, resource) when {principal is (User)};)",
     R"(unexpected token `(`: expected the name of an entity type)"},
    {R"(permit(principal, action, resource) when {{(a): 1} has a};)",
     R"(unexpected token `(`: expected an attribute name)"},
    {R"(permit(principal, action, resource) when {99999999999999999999999 == 1};)",
     R"(integer literal `99999999999999999999999` is too large: a Long goes from -92)"},
    {R"(permit(principal, action, resource) when {"C:\dir" == ""};)",
     R"(the input `\d` is not a valid escape: write `\\` for a backslash)"},
    {"permit(principal, action, resource) when {\"a\rb\" == \"\"};",
     R"(a bare carriage return is not allowed in a string)"},
    {R"(permit(principal is if, action, resource);)",
     R"(this identifier is reserved and cannot be used: if)"},
};

void expect(const Recorded& recorded) {
    const auto policies = PolicySet::parse(recorded.text);
    EXPECT_EQ(policies.has_value(), recorded.error.empty()) << recorded.text;
    const std::string got = policies ? "" : policies.error().detail;
    EXPECT_EQ(got.substr(0, recorded.error.size()), recorded.error) << recorded.text << got;
}

TEST(Refusals, AreThoseOfTheReferenceInItsWords) {
    for (const Recorded& recorded : kRecorded) expect(recorded);
}

TEST(Refusals, AreThoseOfTheReferenceInOtherWords) {
    for (const Recorded& recorded : kOwnWords) expect(recorded);
}

}  // namespace
}  // namespace writ::cedar

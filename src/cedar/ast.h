// Policies as parsed. The tree of a policy's expressions lies flat in one Ast: nodes are named by
// index, children are a run of indices. It keeps the operators of the source (`>`, `!=`,
// `is … in`) and every node's span, so that errors, explanations and other readers of the tree can
// speak of what was written; only `a has b.c` and chains of one operator are taken together.
//
// INVARIANT: a child's depth is less than its parent's, and no depth exceeds kMaxDepth; whoever
// recurses over a tree is bounded by it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cedar/cedar.h"
#include "cedar/extension.h"
#include "cedar/pattern.h"
#include "cedar/uid.h"

namespace writ::cedar {

// The deepest nesting any option allows: parser and evaluator recurse, and must not exhaust the
// stack of any thread in any build.
inline constexpr std::size_t kMaxDepth = 256;

using NodeId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xffffffff;

enum class Op : std::uint8_t {
    kLiteral,       // data: literal
    kVariable,      // variable
    kNot,           // one child
    kNegate,        //
    kIf,            // guard, then, else
    kAnd,           // two or more, left to right
    kOr,            //
    kEqual,         // left, right; so all up to kHasTag
    kNotEqual,      //
    kLess,          //
    kLessEqual,     //
    kGreater,       //
    kGreaterEqual,  //
    kIn,            //
    kAdd,           //
    kSubtract,      //
    kMultiply,      //
    kContains,      //
    kContainsAll,   //
    kContainsAny,   //
    kGetTag,        //
    kHasTag,        //
    kIsEmpty,       // one child
    kAttribute,     // one child; data: name
    kHas,           // one child; data: first name of name_count
    kLike,          // one child; data: pattern
    kIs,            // one child; data: name of the type
    kIsIn,          // left, right; data: name of the type
    kSet,           // elements
    kRecord,        // values in the order of their keys; data: first key of as many
    kCall,          // arguments, receiver first; function
};

enum class Variable : std::uint8_t { kPrincipal, kAction, kResource, kContext };

struct Node {
    Op op = Op::kLiteral;
    Variable variable = Variable::kPrincipal;
    Function function = Function::kDecimal;
    std::uint16_t depth = 1;
    std::uint32_t begin = 0, end = 0;    // bytes of the source
    std::uint32_t first = 0, count = 0;  // children, in Ast::kids
    std::uint32_t data = kNone;
    std::uint32_t name_count = 0;
    // The literal that this set, record or constructor call always gives; kNone if it depends on
    // the request or is an error.
    std::uint32_t folded = kNone;
};

struct Ast {
    std::vector<Node> nodes;
    std::vector<NodeId> kids;
    std::vector<Value> literals;
    std::vector<std::string> names;
    std::vector<Pattern> patterns;

    std::span<const NodeId> children(const Node& node) const {
        return std::span(kids).subspan(node.first, node.count);
    }
};

// A policy text, shared by the policies parsed from it.
struct Source {
    std::string file;
    std::string text;
    std::vector<std::uint32_t> line_starts;

    Source(std::string file_name, std::string_view of);
    // Line and column (in characters) of a byte offset.
    SourceRef at(std::size_t offset) const;
};

// Whether a text can be a source: `what` it is, at most `bytes_max` long, UTF-8. Errors: kTooLarge,
// kInvalid with the place.
Status check_source(std::string_view text, const std::string& file, std::string_view what,
                    std::size_t bytes_max);

enum class ScopeKind : std::uint8_t { kAny, kEqual, kIn };

// principal or resource: `[is type] [== uid | in uid]`, the uid maybe a slot of a template.
struct EntityScope {
    ScopeKind kind = ScopeKind::kAny;
    bool slot = false;
    Uid uid;
    std::string type;  // empty: no `is`
    std::uint32_t begin = 0, end = 0;
};

struct ActionScope {
    ScopeKind kind = ScopeKind::kAny;
    std::vector<Uid> uids;  // one for kEqual, any number for kIn
    std::uint32_t begin = 0, end = 0;
};

struct Condition {
    bool unless = false;
    NodeId body = kNone;
    std::uint32_t begin = 0, end = 0;  // with the keyword and the braces
};

struct Policy {
    Effect effect = Effect::kPermit;
    std::map<std::string, std::string, std::less<>> annotations;
    std::set<std::string, std::less<>> bare_annotations;  // those without a value: `@a`
    EntityScope principal, resource;
    ActionScope action;
    std::vector<Condition> conditions;
    Ast ast;
    std::shared_ptr<const Source> source;
    std::uint32_t begin = 0, end = 0;

    bool is_template() const { return principal.slot || resource.slot; }
    std::string_view text(std::uint32_t from, std::uint32_t to) const {
        return std::string_view(source->text).substr(from, to - from);
    }
};

}  // namespace writ::cedar

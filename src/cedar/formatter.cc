// The grammar once more, over tokens with their comments, each rule giving the layout of what it
// reads. The text has been parsed before, so that nothing can be missing here; whatever stands
// where no rule expects it makes the checks at the end fail.
#include "cedar/formatter.h"

#include <fmt/format.h>

#include <algorithm>

#include "cedar/comments.h"
#include "cedar/layout.h"
#include "cedar/parser.h"

namespace writ::cedar {
namespace {

using Doc = Layout::Doc;

class Formatter {
  public:
    Formatter(const std::vector<CommentedToken>& tokens, const FormatOptions& options)
        : tokens_(tokens), options_(options) {}

    // The whole text, without the line break at its end.
    std::string run() {
        std::string out;
        while (!at(Kind::kEnd) && !stuck_) {
            layout_ = Layout();
            const Doc doc = policy();
            if (!out.empty()) out += "\n\n";
            out += layout_.render(doc, options_.line_width);
        }
        for (const std::string_view comment : now().above) {
            if (!out.empty()) out += '\n';
            out += comment;
        }
        return out;
    }

  private:
    const CommentedToken& now() const { return tokens_[at_]; }
    const CommentedToken& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    bool at(Kind kind) const { return now().kind == kind; }
    bool at_word(std::string_view word) const {
        return at(Kind::kIdentifier) && now().text == word;
    }

    // The comments above the token under the cursor, as lines of their own.
    Doc above() {
        if (now().above.empty()) return layout_.nothing();
        std::vector<Doc> parts;
        for (const std::string_view comment : now().above) {
            parts.push_back(layout_.hard_line());
            parts.push_back(layout_.text(comment));
        }
        parts.push_back(layout_.hard_line());
        return layout_.join(parts);
    }
    // The token under the cursor without what is above it, and `after` in place of a comment.
    Doc bare(Doc after) {
        const CommentedToken& token = now();
        if (at(Kind::kEnd)) {
            stuck_ = true;
            return layout_.nothing();
        }
        ++at_;
        if (token.after.empty()) return layout_.join({layout_.text(token.text), after});
        return layout_.join({layout_.text(token.text), layout_.text(" "), layout_.text(token.after),
                             layout_.hard_line()});
    }
    Doc take(Doc after) {
        const Doc comments = above();
        return layout_.join({comments, bare(after)});
    }
    Doc take() { return take(layout_.nothing()); }
    Doc space() { return layout_.text(" "); }
    Doc indent(Doc doc) { return layout_.nest(options_.indent_width, doc); }

    Doc policy() {
        std::vector<Doc> parts;
        while (at(Kind::kAt)) {
            parts.push_back(take());
            const bool value = next().kind == Kind::kLeftParen;
            parts.push_back(take(value ? layout_.nothing() : layout_.hard_line()));
            if (!value) continue;
            parts.push_back(take());
            parts.push_back(take());
            parts.push_back(take(layout_.hard_line()));
        }
        const Doc effect_above = above();
        const Doc effect = bare(layout_.nothing());
        parts.push_back(effect_above);
        parts.push_back(layout_.group(layout_.join({effect, layout_.line(), take()})));
        parts.push_back(scope());
        const bool conditions = next().kind != Kind::kSemicolon;
        parts.push_back(take(conditions ? layout_.hard_line() : layout_.nothing()));
        bool first = true;
        while (at(Kind::kIdentifier)) {
            if (!first) parts.push_back(layout_.hard_line());
            first = false;
            parts.push_back(condition());
        }
        parts.push_back(take());
        return layout_.join(parts);
    }

    Doc scope() {
        bool bare_variables = true;
        for (std::size_t i = at_; tokens_[i].kind != Kind::kRightParen; ++i) {
            const CommentedToken& token = tokens_[i];
            const bool variable = token.text == "principal" || token.text == "action" ||
                                  token.text == "resource" || token.kind == Kind::kComma;
            bare_variables = bare_variables && variable;
            if (token.kind == Kind::kEnd) break;
        }
        const Doc between = bare_variables ? space() : layout_.hard_line();
        std::vector<Doc> parts;
        for (int i = 0; i < 3; ++i) {
            parts.push_back(scope_element());
            if (i < 2) parts.push_back(take(between));
        }
        const Doc all = layout_.join(parts);
        if (bare_variables) return layout_.group(all);
        return layout_.join(
            {indent(layout_.join({layout_.hard_line(), all})), layout_.hard_line()});
    }

    // variable [is Type] [(== | in) target]
    Doc scope_element() {
        const Doc before = above();
        const Doc variable = bare(layout_.nothing());
        Doc is = layout_.nothing();
        if (at_word("is")) {
            const Doc word = layout_.group(layout_.join({layout_.line(), take()}));
            is = layout_.group(indent(layout_.join({word, layout_.line(), name()})));
        }
        if (at(Kind::kComma) || at(Kind::kRightParen)) return layout_.join({before, variable, is});
        const Doc left = layout_.group(layout_.join({variable, is, layout_.line(), take()}));
        const Doc right = indent(layout_.join({layout_.line(), expression()}));
        return layout_.join({before, layout_.group(layout_.join({left, right}))});
    }

    // when { expression }
    Doc condition() {
        const Doc before = above();
        const Doc word = bare(layout_.nothing());
        const Doc brace_above = above();
        const Doc brace = bare(layout_.nothing());
        const Doc body_above = above();
        const Doc body = layout_.group(without_above(&Formatter::expression));
        const Doc inner = layout_.group(
            layout_.join({brace, indent(layout_.join({layout_.line(), body_above, body})),
                          layout_.line(), take()}));
        return layout_.join(
            {before, layout_.group(layout_.join({word, layout_.line(), brace_above, inner}))});
    }

    // What `rule` reads, the comments above its first token having been laid out already.
    Doc without_above(Doc (Formatter::*rule)()) {
        skip_above_ = at_;
        return (this->*rule)();
    }

    // Recursion: as deep as the nesting of the text, which its parser has bounded.
    Doc expression() {
        if (!at_word("if") || next().kind == Kind::kColons) return chain(Kind::kOr);
        std::vector<Doc> parts;
        for (int i = 0; i < 3; ++i) {
            if (i > 0) parts.push_back(layout_.line());
            parts.push_back(word());
            parts.push_back(indent(layout_.join({layout_.line(), expression()})));
        }
        return layout_.group(layout_.join(parts));
    }

    // A chain of `||` or `&&`, which breaks with what is around it.
    Doc chain(Kind op) {
        std::vector<Doc> parts;
        while (true) {
            parts.push_back(op == Kind::kOr ? chain(Kind::kAnd) : relation());
            if (!at(op)) return layout_.join(parts);
            parts.push_back(space());
            parts.push_back(word(layout_.line()));
        }
    }

    Doc relation() {
        const Doc left = sum();
        if (at_word("has") || at_word("like")) {
            const Doc operation = word();
            return layout_.group(
                layout_.join({left, layout_.line(), operation, layout_.line(), indent(member())}));
        }
        if (at_word("is")) {
            std::vector<Doc> parts = {left, space(), word(), space(), indent(name())};
            if (at_word("in")) {
                parts.push_back(layout_.line());
                parts.push_back(word());
                parts.push_back(space());
                parts.push_back(indent(sum()));
            }
            return layout_.group(layout_.join(parts));
        }
        const Kind kind = now().kind;
        if (!at_word("in") && (kind < Kind::kEqual || kind > Kind::kGreaterEqual)) return left;
        const Doc operation = word();
        return layout_.join({left, space(), operation, space(), sum()});
    }

    Doc sum() {
        std::vector<Doc> parts = {product()};
        while (at(Kind::kPlus) || at(Kind::kMinus)) add_operation(parts, &Formatter::product);
        return layout_.group(layout_.join(parts));
    }
    Doc product() {
        std::vector<Doc> parts = {unary()};
        while (at(Kind::kStar)) add_operation(parts, &Formatter::unary);
        return layout_.group(layout_.join(parts));
    }
    void add_operation(std::vector<Doc>& parts, Doc (Formatter::*operand)()) {
        parts.push_back(space());
        parts.push_back(word());
        parts.push_back(layout_.line());
        parts.push_back((this->*operand)());
    }

    Doc unary() {
        std::vector<Doc> parts;
        while (at(Kind::kNot) || at(Kind::kMinus)) parts.push_back(word());
        parts.push_back(member());
        return layout_.join(parts);
    }

    // A primary, then `.name`, `(…)` and `["…"]`.
    Doc member() {
        const Doc first = primary();
        std::vector<Doc> parts;
        while (at(Kind::kDot) || at(Kind::kLeftParen) || at(Kind::kLeftBracket)) {
            if (!parts.empty()) parts.push_back(layout_.soft_line());
            if (at(Kind::kDot)) {
                parts.push_back(word());
                parts.push_back(word());
                continue;
            }
            const bool call = at(Kind::kLeftParen);
            parts.push_back(call ? arguments() : layout_.join({word(), word(), word()}));
        }
        return layout_.group(layout_.join({first, indent(layout_.join(parts))}));
    }

    // (…)
    Doc arguments() {
        const Doc open = word();
        if (at(Kind::kRightParen)) return layout_.join({open, word()});
        const Doc inside = layout_.join({open, layout_.soft_line(), list(Kind::kRightParen)});
        return layout_.join({indent(inside), layout_.soft_line(), word()});
    }

    // Expressions with commas between them.
    Doc list(Kind close) {
        std::vector<Doc> parts;
        while (!at(close) && !at(Kind::kEnd)) {
            parts.push_back(expression());
            if (!at(Kind::kComma)) break;
            parts.push_back(word());
            parts.push_back(layout_.line());
        }
        return layout_.join(parts);
    }

    Doc primary() {
        if (at(Kind::kLeftParen)) {
            const Doc open = word();
            const Doc inside = layout_.nest(1, expression());
            return layout_.group(layout_.join({open, inside, word()}));
        }
        if (at(Kind::kLeftBracket)) {
            const Doc open = word();
            const Doc inside = layout_.nest(1, list(Kind::kRightBracket));
            return layout_.join({open, inside, word()});
        }
        if (at(Kind::kLeftBrace)) return record();
        return name();
    }

    Doc record() {
        const Doc open = word();
        if (at(Kind::kRightBrace)) return layout_.join({open, word()});
        std::vector<Doc> parts;
        while (!at(Kind::kRightBrace) && !at(Kind::kEnd)) {
            parts.push_back(layout_.line());
            parts.push_back(word());
            parts.push_back(word());
            parts.push_back(space());
            parts.push_back(expression());
            if (!at(Kind::kComma)) break;
            parts.push_back(word());
        }
        const Doc inside = indent(layout_.join(parts));
        return layout_.group(layout_.join({open, inside, layout_.line(), word()}));
    }

    // A literal, a slot, a name or an entity: tokens without spaces between them.
    Doc name() {
        std::vector<Doc> parts = {word()};
        while (at(Kind::kColons)) {
            parts.push_back(word());
            parts.push_back(word());
        }
        return layout_.join(parts);
    }

    // take(), but for the comments that were laid out before.
    Doc word(Doc after) {
        if (skip_above_ == at_) return bare(after);
        return take(after);
    }
    Doc word() { return word(layout_.nothing()); }

    const std::vector<CommentedToken>& tokens_;
    const FormatOptions& options_;
    Layout layout_;
    std::size_t at_ = 0;
    std::size_t skip_above_ = static_cast<std::size_t>(-1);
    bool stuck_ = false;
};

bool same_scope(const EntityScope& a, const EntityScope& b) {
    return a.kind == b.kind && a.slot == b.slot && a.uid == b.uid && a.type == b.type;
}

bool same_node(const Node& a, const Node& b) {
    return a.op == b.op && a.variable == b.variable && a.function == b.function &&
           a.first == b.first && a.count == b.count && a.data == b.data &&
           a.name_count == b.name_count && a.folded == b.folded;
}

bool same_policy(const Policy& a, const Policy& b) {
    const auto same_condition = [](const Condition& x, const Condition& y) {
        return x.unless == y.unless && x.body == y.body;
    };
    const auto same_pattern = [](const Pattern& x, const Pattern& y) {
        return x.pieces() == y.pieces();
    };
    return a.effect == b.effect && a.annotations == b.annotations &&
           a.bare_annotations == b.bare_annotations && same_scope(a.principal, b.principal) &&
           same_scope(a.resource, b.resource) && a.action.kind == b.action.kind &&
           a.action.uids == b.action.uids &&
           std::equal(a.conditions.begin(), a.conditions.end(), b.conditions.begin(),
                      b.conditions.end(), same_condition) &&
           std::equal(a.ast.nodes.begin(), a.ast.nodes.end(), b.ast.nodes.begin(),
                      b.ast.nodes.end(), same_node) &&
           a.ast.kids == b.ast.kids && a.ast.literals == b.ast.literals &&
           a.ast.names == b.ast.names &&
           std::equal(a.ast.patterns.begin(), a.ast.patterns.end(), b.ast.patterns.begin(),
                      b.ast.patterns.end(), same_pattern);
}

}  // namespace

Result<std::string> format(std::string_view text, const FormatOptions& options) {
    ParseOptions parsing;
    parsing.file = options.file;
    parsing.limits = options.limits;
    const auto before = parse_policies(text, parsing);
    if (!before) return fail(before.error());
    const auto tokens = commented_tokens(text);
    std::string out = Formatter(tokens, options).run();
    if (!out.empty()) out += '\n';

    // A layout is longer than its text: its parser gets room for that.
    parsing.limits.bytes_max = std::max(parsing.limits.bytes_max, out.size());
    const auto after = parse_policies(out, parsing);
    const auto same = [](const auto& a, const auto& b) { return same_policy(*a, *b); };
    const bool sound =
        after && std::equal(before->begin(), before->end(), after->begin(), after->end(), same) &&
        sorted_comments(tokens) == sorted_comments(commented_tokens(out));
    if (!sound)
        return fail(ErrorCode::kInternal,
                    "formatting would change what the text means, which is a mistake of the "
                    "formatter: the text is left as it is; please report it",
                    {options.file, 0, 0});
    return out;
}

}  // namespace writ::cedar

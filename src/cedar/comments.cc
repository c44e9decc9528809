#include "cedar/comments.h"

#include <algorithm>

namespace writ::cedar {
namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t end = text.find_last_not_of(" \t\v\f");
    return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

// Shares the comments in the gap between two tokens among them.
void read_gap(std::string_view gap, CommentedToken* before, CommentedToken& next) {
    bool same_line = before != nullptr;
    for (std::size_t at = 0; at < gap.size();) {
        if (gap[at] == '\n' || gap[at] == '\r') same_line = false;
        if (!gap.substr(at).starts_with("//")) {
            ++at;
            continue;
        }
        const std::size_t end = std::min(gap.find_first_of("\r\n", at), gap.size());
        const std::string_view comment = trimmed(gap.substr(at, end - at));
        if (same_line)
            before->after = comment;
        else
            next.above.push_back(comment);
        at = end;
    }
}

bool closes(Kind kind) {
    return kind == Kind::kRightParen || kind == Kind::kRightBracket || kind == Kind::kRightBrace;
}

}  // namespace

std::vector<CommentedToken> commented_tokens(std::string_view text) {
    std::vector<CommentedToken> out;
    Lexer lexer(text);
    std::size_t last_end = 0;
    while (true) {
        const Token token = lexer.next();
        CommentedToken next;
        next.kind = token.kind;
        next.text = text.substr(token.begin, token.end - token.begin);
        read_gap(text.substr(last_end, token.begin - last_end), out.empty() ? nullptr : &out.back(),
                 next);
        last_end = token.end;
        if (closes(next.kind) && !out.empty() && out.back().kind == Kind::kComma) {
            CommentedToken comma = std::move(out.back());
            out.pop_back();
            if (!comma.after.empty() && comma.above.empty() && out.back().after.empty())
                out.back().after = comma.after;
            else if (!comma.after.empty())
                comma.above.push_back(comma.after);
            next.above.insert(next.above.begin(), comma.above.begin(), comma.above.end());
        }
        out.push_back(std::move(next));
        if (token.kind == Kind::kEnd) return out;
    }
}

std::vector<std::string_view> sorted_comments(const std::vector<CommentedToken>& tokens) {
    std::vector<std::string_view> out;
    for (const CommentedToken& token : tokens) {
        out.insert(out.end(), token.above.begin(), token.above.end());
        if (!token.after.empty()) out.push_back(token.after);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace writ::cedar

// Tokens of a policy text with the comments around them, for the formatter.
#pragma once

#include <string_view>
#include <vector>

#include "cedar/lexer.h"

namespace writ::cedar {

struct CommentedToken {
    Kind kind = Kind::kEnd;
    std::string_view text;                // empty at the end
    std::vector<std::string_view> above;  // comments on lines of their own before it
    std::string_view after = {};          // the comment on its line
};

// The tokens of a valid text and then one of Kind::kEnd, whose comments stand below the last. A
// comment on the line of a token is that token's, any other the next one's. A trailing comma,
// which the grammar allows before a closing bracket, is left out; its comments go to its
// neighbours. `text` outlives the result.
std::vector<CommentedToken> commented_tokens(std::string_view text);

// All comments, sorted.
std::vector<std::string_view> sorted_comments(const std::vector<CommentedToken>& tokens);

}  // namespace writ::cedar

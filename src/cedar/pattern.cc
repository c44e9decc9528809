#include "cedar/pattern.h"

namespace writ::cedar {

Pattern::Pattern(std::string_view text, const std::vector<std::size_t>& wildcards) {
    std::size_t from = 0;
    for (std::size_t at : wildcards) {
        pieces_.emplace_back(text.substr(from, at - from));
        from = at;
    }
    pieces_.emplace_back(text.substr(from));
}

bool Pattern::matches(std::string_view text) const {
    const std::string& first = pieces_.front();
    if (pieces_.size() == 1) return text == first;
    const std::string& last = pieces_.back();
    if (text.size() < first.size() + last.size()) return false;
    if (!text.starts_with(first) || !text.ends_with(last)) return false;
    text = text.substr(first.size(), text.size() - first.size() - last.size());
    // Between the ends the leftmost place for each piece is as good as any other.
    for (std::size_t i = 1; i + 1 < pieces_.size(); ++i) {
        const std::size_t at = text.find(pieces_[i]);
        if (at == std::string_view::npos) return false;
        text.remove_prefix(at + pieces_[i].size());
    }
    return true;
}

}  // namespace writ::cedar

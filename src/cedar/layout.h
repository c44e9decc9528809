// Laying out text in lines of a width, after Wadler ("A prettier printer"): a document is text with
// places where a line may break; a group is laid out on one line if that fits, and otherwise breaks
// at all its own places. What is inside another group breaks by itself.
//
// No recursion: documents are as deep as the input likes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace writ::cedar {

class Layout {
  public:
    using Doc = std::uint32_t;

    Layout();

    // Borrowed: `text` outlives the Layout.
    Doc text(std::string_view text);
    Doc line() const { return kLine; }           // a space, or a line break
    Doc soft_line() const { return kSoftLine; }  // nothing, or a line break
    Doc hard_line() const { return kHardLine; }  // a line break
    Doc nothing() const { return kNothing; }
    Doc join(std::initializer_list<Doc> parts) { return join(std::vector<Doc>(parts)); }
    Doc join(const std::vector<Doc>& parts);
    Doc nest(std::size_t columns, Doc doc);
    Doc group(Doc doc);

    // Lines without trailing space, none of them empty but inside a text; no line break at the end.
    std::string render(Doc doc, std::size_t width) const;

  private:
    enum class Kind : std::uint8_t { kText, kLine, kSoftLine, kHardLine, kJoin, kNest, kGroup };
    struct Node {
        Kind kind = Kind::kText;
        std::uint32_t first = 0, count = 0;  // kJoin: in parts_; kNest and kGroup: the one inside
        std::size_t columns = 0;             // of a text, or of a nest
        std::string_view text = {};
    };
    struct Command {
        std::size_t indent;
        bool flat;
        Doc doc;
    };
    static constexpr Doc kNothing = 0, kLine = 1, kSoftLine = 2, kHardLine = 3;

    Doc add(Node node);
    // Whether what follows up to the next line break fits with `doc` on one line.
    bool fits(Doc doc, const std::vector<Command>& rest, std::size_t column,
              std::size_t width) const;

    std::vector<Node> nodes_;
    std::vector<Doc> parts_;
};

}  // namespace writ::cedar

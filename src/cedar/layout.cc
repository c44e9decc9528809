#include "cedar/layout.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace writ::cedar {
namespace {

struct Range {
    std::uint32_t first, last;
};

// Characters that take two columns of a terminal (Unicode East Asian Width W and F, roughly) and
// those that take none.
constexpr std::array<Range, 14> kWide = {{{0x1100, 0x115f},
                                          {0x2e80, 0x303e},
                                          {0x3041, 0x4dbf},
                                          {0x4e00, 0xa4cf},
                                          {0xa960, 0xa97f},
                                          {0xac00, 0xd7a3},
                                          {0xf900, 0xfaff},
                                          {0xfe30, 0xfe6f},
                                          {0xff01, 0xff60},
                                          {0xffe0, 0xffe6},
                                          {0x1f300, 0x1f64f},
                                          {0x1f680, 0x1f6ff},
                                          {0x1f900, 0x1f9ff},
                                          {0x20000, 0x3fffd}}};
constexpr std::array<Range, 5> kNarrow = {
    {{0x300, 0x36f}, {0x200b, 0x200f}, {0x2060, 0x2064}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}};

template <std::size_t n>
bool is_in(const std::array<Range, n>& ranges, std::uint32_t c) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [c](const Range& range) { return range.first <= c && c <= range.last; });
}

// The columns of a valid UTF-8 text.
std::size_t columns_of(std::string_view text) {
    std::size_t out = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t c = length == 1 ? lead : lead & (0x7fU >> length);
        for (std::size_t i = 1; i < length && at + i < text.size(); ++i)
            c = c << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fU);
        at += length;
        out += length == 1 ? 1 : is_in(kWide, c) ? 2 : is_in(kNarrow, c) ? 0 : 1;
    }
    return out;
}

// What has been written, and whether the last line has anything on it.
class Page {
  public:
    void write(std::string_view text) {
        if (text.empty() || (blank_ && text == " ")) return;
        if (blank_) out_.append(indent_, ' ');
        blank_ = false;
        out_ += text;
        spaces_ = text.find_first_not_of(' ') == std::string_view::npos ? spaces_ + text.size() : 0;
    }
    void space() { write(" "); }
    void new_line(std::size_t indent) {
        indent_ = indent;
        out_.resize(out_.size() - std::min(spaces_, out_.size()));
        spaces_ = 0;
        if (!blank_ && !out_.empty()) out_ += '\n';
        blank_ = true;
    }
    std::string take() {
        new_line(0);
        while (!out_.empty() && out_.back() == '\n') out_.pop_back();
        return std::move(out_);
    }

  private:
    std::string out_;
    std::size_t indent_ = 0, spaces_ = 0;  // of the line to come; at the end of this one
    bool blank_ = true;
};

}  // namespace

Layout::Layout()
    : nodes_{{.kind = Kind::kText},
             {.kind = Kind::kLine},
             {.kind = Kind::kSoftLine},
             {.kind = Kind::kHardLine}} {}

Layout::Doc Layout::add(Node node) {
    nodes_.push_back(node);
    return static_cast<Doc>(nodes_.size() - 1);
}

Layout::Doc Layout::text(std::string_view text) {
    Node node;
    node.text = text;
    node.columns = columns_of(text);
    return add(node);
}

Layout::Doc Layout::join(const std::vector<Doc>& parts) {
    Node node;
    node.kind = Kind::kJoin;
    node.first = static_cast<std::uint32_t>(parts_.size());
    node.count = static_cast<std::uint32_t>(parts.size());
    parts_.insert(parts_.end(), parts.begin(), parts.end());
    return add(node);
}

Layout::Doc Layout::nest(std::size_t columns, Doc doc) {
    return add({.kind = Kind::kNest, .first = doc, .count = 1, .columns = columns});
}

Layout::Doc Layout::group(Doc doc) {
    return add({.kind = Kind::kGroup, .first = doc, .count = 1});
}

bool Layout::fits(Doc doc, const std::vector<Command>& rest, std::size_t column,
                  std::size_t width) const {
    std::vector<Doc> open = {doc};
    std::size_t left = rest.size();
    bool flat = true;
    while (true) {
        if (open.empty()) {
            if (left == 0) return true;
            flat = false;
            open.push_back(rest[--left].doc);
        }
        const Node& node = nodes_[open.back()];
        open.pop_back();
        switch (node.kind) {
            case Kind::kText:
                column += node.columns;
                break;
            case Kind::kLine:
                if (!flat) return true;
                ++column;
                break;
            case Kind::kSoftLine:
                if (!flat) return true;
                break;
            case Kind::kHardLine:
                return !flat;
            case Kind::kJoin:
                for (std::uint32_t i = node.count; i > 0; --i)
                    open.push_back(parts_[node.first + i - 1]);
                break;
            case Kind::kNest:
            case Kind::kGroup:
                open.push_back(node.first);
                break;
        }
        if (column > width) return false;
    }
}

std::string Layout::render(Doc doc, std::size_t width) const {
    Page page;
    std::size_t column = 0;
    std::vector<Command> open = {{0, false, doc}};
    while (!open.empty()) {
        const Command now = open.back();
        open.pop_back();
        const Node& node = nodes_[now.doc];
        switch (node.kind) {
            case Kind::kText:
                page.write(node.text);
                column += node.columns;
                break;
            case Kind::kLine:
            case Kind::kSoftLine:
                if (now.flat) {
                    if (node.kind == Kind::kLine) page.space();
                    column += node.kind == Kind::kLine ? 1 : 0;
                    break;
                }
                [[fallthrough]];
            case Kind::kHardLine:
                page.new_line(now.indent);
                column = now.indent;
                break;
            case Kind::kJoin:
                for (std::uint32_t i = node.count; i > 0; --i)
                    open.push_back({now.indent, now.flat, parts_[node.first + i - 1]});
                break;
            case Kind::kNest:
                open.push_back({now.indent + node.columns, now.flat, node.first});
                break;
            case Kind::kGroup:
                open.push_back(
                    {now.indent, now.flat || fits(node.first, open, column, width), node.first});
                break;
        }
    }
    return page.take();
}

}  // namespace writ::cedar

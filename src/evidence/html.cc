// A trace as one HTML file that can be mailed: no script, nothing loaded, every byte that somebody
// else wrote first made inert and then escaped.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/clock.h"
#include "base/inert.h"
#include "evidence/leaf.h"
#include "evidence/trail.h"
#include "json/node.h"

namespace writ::evidence {

namespace {

// Beyond this many events a line is all there is of each, without what unfolds under it: a browser
// takes minutes over 100,000 elements that fold, and seconds over as many lines.
constexpr std::size_t kMaxEventsInFull = kMaxFewLeaves;
// Beyond this many the rest is counted and not shown: the file must still open.
constexpr std::size_t kMaxEventsShown = 250'000;
// More siblings than twice as many are folded into groups of this size, the first of them open.
constexpr std::size_t kGroup = 100;
constexpr std::size_t kShownPayloadBytes = 16 << 10;
constexpr std::size_t kShownJsonBytes = 64 << 10;

// `none` keeps a mail program or a browser from fetching anything, whatever the events say.
constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
)";

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark}
:root{--bg:#fff;--fg:#1c2430;--dim:#66707f;--line:#dfe4ea;--soft:#f5f7f9;--ok:#12733a;
--no:#b3261e;--hold:#8a5a00;--info:#2456a6}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--fg:#e4e8ee;--dim:#97a1b0;--line:#2a313b;
--soft:#1a2029;--ok:#57c785;--no:#ff8a80;--hold:#f0b54a;--info:#8ab4f8}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:20px;margin:0 0 2px;font-weight:650;overflow-wrap:anywhere}
code,pre,.t,.id{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12.5px}
.sub{color:var(--dim);margin:0 0 18px;overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:1px;
border:1px solid var(--line);border-radius:8px;overflow:hidden;
margin:0 0 22px}
.facts div{box-shadow:0 0 0 1px var(--line);padding:9px 13px}
.facts b{display:block;font-size:17px;font-weight:600}
.facts span{color:var(--dim);font-size:12px}
ul{list-style:none;margin:0;padding:0 0 0 19px;border-left:1px solid var(--line)}
main>ul{padding-left:0;border:0;overflow-x:auto}
li{margin:1px 0}
summary{display:flex;gap:10px;padding:3px 8px;border-radius:6px;cursor:pointer;
align-items:baseline;list-style:none}
summary::-webkit-details-marker{display:none}
summary::before{content:"\25b8";color:var(--dim);margin-right:-4px}
details[open]>summary::before{content:"\25be"}
summary:hover{background:var(--soft)}
summary:focus-visible{outline:2px solid var(--info)}
.t{color:var(--dim);white-space:nowrap}
.y{font-weight:600;white-space:nowrap}
.s{overflow-wrap:anywhere;min-width:0}
.y,.s,.id{unicode-bidi:isolate}
li{--tone:var(--info)}.permit,.ok{--tone:var(--ok)}.forbid,.bad{--tone:var(--no)}
.hold{--tone:var(--hold)}.y{color:var(--tone)}
.group{--tone:var(--dim)}
.line{display:flex;gap:10px;padding:3px 8px;align-items:baseline}
.more{margin:2px 0 8px 8px;padding:8px 12px;background:var(--soft);border-radius:6px}
.more p{margin:0 0 6px;color:var(--dim)}
pre{margin:0 0 6px;white-space:pre-wrap;overflow-wrap:anywhere;max-height:420px;overflow:auto}
h2{font-size:12px;margin:6px 0 2px;color:var(--dim);font-weight:600}
.alarm{color:var(--no);font-weight:600}
.tag{border:1px solid var(--line);border-radius:4px;padding:0 5px;font-size:11.5px;
color:var(--dim);white-space:nowrap}
footer{margin-top:28px;color:var(--dim);font-size:12.5px;border-top:1px solid var(--line);
padding-top:12px}
@media (max-width:640px){main{padding:16px 10px 40px}ul{padding-left:9px}
summary,.line{flex-wrap:wrap;gap:0 8px}.s{flex-basis:100%}.tag{white-space:normal}}
@media print{summary{break-inside:avoid}pre{max-height:none}}
</style>
)";

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::string shown(std::string_view text, std::size_t bytes_max = 400) {
    return escaped(inert(text, bytes_max));
}

// Many lines, each inert by itself.
std::string shown_lines(std::string_view text, std::size_t bytes_max) {
    std::string out;
    std::size_t left = bytes_max;
    while (!text.empty() && left > 0) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, std::min(end, text.size()));
        out += escaped(inert(line, left));
        out += '\n';
        left -= std::min(left, line.size() + 1);
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
    if (!text.empty()) out += "…\n";
    return out;
}

std::string_view class_of(Tone tone) {
    switch (tone) {
        case Tone::kPermit:
            return "permit";
        case Tone::kForbid:
            return "forbid";
        case Tone::kHold:
            return "hold";
        case Tone::kOk:
            return "ok";
        case Tone::kBad:
            return "bad";
        case Tone::kOther:
            break;
    }
    return "other";
}

struct Counts {
    std::size_t events = 0, permits = 0, forbids = 0, holds = 0, gaps = 0;
    std::int64_t first_us = 0, last_us = 0;
    void add(const TraceNode& node) {
        ++events;
        if (node.event.type == "call.decided") {
            const Tone tone = node.event.tone;
            (tone == Tone::kPermit ? permits : tone == Tone::kHold ? holds : forbids) += 1;
        }
        gaps += node.event.type == "evidence.gap" ? 1 : 0;
        const auto t = node.event.t_us;
        first_us = first_us == 0 ? t : std::min(first_us, t);
        last_us = std::max(last_us, t);
        for (const auto& effect : node.effects) add(effect);
    }
};

class Page {
  public:
    Page(PayloadReader* payloads, bool in_full, Pieces& out)
        : payloads_(payloads), in_full_(in_full), out_(out) {}

    // A list of events, each with what it caused below it.
    void list(std::span<const TraceNode> nodes) {
        out_.text() += "<ul>\n";
        if (nodes.size() <= 2 * kGroup) {
            for (const auto& node : nodes) this->node(node);
        } else {
            for (std::size_t at = 0; at < nodes.size() && left_ > 0; at += kGroup)
                group(nodes.subspan(at, std::min(kGroup, nodes.size() - at)), at == 0);
        }
        out_.text() += "</ul>";
    }

    // Events that were not shown.
    std::size_t missing(std::size_t events) const { return events - (kMaxEventsShown - left_); }

  private:
    void node(const TraceNode& node) {
        if (left_ == 0) return;
        --left_;
        auto& text = out_.text();
        text.append("<li class=\"").append(class_of(node.event.tone)).append("\">");
        text += in_full_ ? "<details><summary>" : "<div class=\"line\">";
        line(node.event);
        if (in_full_) {
            text += "</summary><div class=\"more\">";
            about(node.event);
            text += "</div></details>";
        } else {
            fmt::format_to(out(), "<span class=\"t\">#{}</span></div>", node.event.index);
        }
        out_.pause();
        if (!node.effects.empty()) list(node.effects);
        text += "</li>\n";
    }

    void line(const TrailEvent& event) {
        auto& text = out_.text();
        text.append("<span class=\"t\">").append(rfc3339(event.t_us));
        text.append("</span><span class=\"y\">").append(shown(event.type, 60));
        text.append("</span><span class=\"s\">").append(escaped(event.summary)).append("</span>");
        for (const auto& cause : event.causes) {
            if (cause.basis == "observed") continue;
            fmt::format_to(out(), "<span class=\"tag\">{} ({})</span>", shown(cause.rel, 40),
                           shown(cause.basis, 20));
        }
    }

    // Siblings behind one line that says what to look for in them.
    void group(std::span<const TraceNode> nodes, bool open) {
        Counts counts;
        for (const auto& node : nodes) counts.add(node);
        fmt::format_to(out(),
                       "<li class=\"group\"><details{}><summary><span class=\"t\">{}</span>"
                       "<span class=\"y\">{} events</span><span class=\"s\">until {}",
                       open ? " open" : "", rfc3339(counts.first_us), counts.events,
                       rfc3339(counts.last_us));
        const auto alarm = [this](std::size_t n, std::string_view what) {
            if (n > 0) fmt::format_to(out(), " · <span class=\"alarm\">{} {}</span>", n, what);
        };
        alarm(counts.forbids, "forbidden");
        alarm(counts.holds, "held");
        alarm(counts.gaps, "gaps");
        out_.text() += "</span></summary><ul>\n";
        for (const auto& node : nodes) this->node(node);
        out_.text() += "</ul></details></li>\n";
    }

    std::back_insert_iterator<std::string> out() { return std::back_inserter(out_.text()); }

    void about(const TrailEvent& event) {
        auto& text = out_.text();
        text.append("<p>entry ").append(std::to_string(event.index));
        text.append(" · event <span class=\"id\">").append(event.id.text());
        text.append("</span></p>");
        for (const auto& cause : event.causes) {
            text.append("<p>").append(shown(cause.rel, 40)).append(" <span class=\"id\">");
            text.append(cause.id.text()).append("</span> <span class=\"tag\">");
            text.append(shown(cause.basis, 20)).append("</span></p>");
        }
        if (event.json.empty()) return;
        const auto leaf = read_leaf(event.json);
        if (!leaf) return;
        if (payloads_ != nullptr) {
            for (const auto& view : payloads_->read(*leaf)) payload(view);
        }
        fmt::format_to(
            out(), "<h2>event</h2><pre>{}</pre>",
            shown_lines(json::Node::from(leaf->document->root()).pretty(), kShownJsonBytes));
    }

    void payload(const PayloadView& view) {
        fmt::format_to(out(), "<h2>{} · {} bytes</h2>", shown(view.role, 40), view.bytes);
        if (view.answer == PayloadAnswer::kMatches) {
            fmt::format_to(out(), "<pre>{}</pre>", shown_lines(view.plain, kShownPayloadBytes));
        } else {
            const bool alarm =
                view.answer == PayloadAnswer::kMissing || view.answer == PayloadAnswer::kDiffers;
            fmt::format_to(out(), "<p{}>{}</p>", alarm ? " class=\"alarm\"" : "",
                           escaped(view.detail));
        }
    }

    PayloadReader* payloads_;
    const bool in_full_;
    std::size_t left_ = kMaxEventsShown;
    Pieces& out_;
};

std::string fact(std::string_view what, std::size_t n) {
    return fmt::format("<div><b>{}</b><span>{}</span></div>", n, what);
}

}  // namespace

Status to_html(const Trace_& trace, PayloadReader* payloads, std::string_view origin,
               const Sink& sink) {
    Counts counts;
    for (const auto& root : trace.roots) counts.add(root);
    Pieces pieces(sink);
    std::string& out = pieces.text();
    out += kHead;
    const std::string name = shown(trace.id, 200);
    out += fmt::format("<title>Writ: {} {}</title>\n", trace.kind, name);
    out += kStyle;
    out += fmt::format(
        "</head><body><main><h1>{} <span class=\"id\">{}</span></h1>"
        "<p class=\"sub\">{} to {} · log <span class=\"id\">{}</span></p>",
        trace.kind, name, rfc3339(counts.first_us), rfc3339(counts.last_us), shown(origin, 300));
    out += "<div class=\"facts\">" + fact("events", counts.events) +
           fact("calls permitted", counts.permits) + fact("forbidden", counts.forbids) +
           fact("held for a person", counts.holds) + fact("gaps", counts.gaps) + "</div>\n";
    const bool in_full = counts.events <= kMaxEventsInFull;
    Page page(payloads, in_full, pieces);
    page.list(trace.roots);
    if (!in_full) {
        out +=
            "<p class=\"sub\">There are too many events to show more of each than a line; "
            "<code>writ evidence trace</code> of one call or one event by its id shows it "
            "whole.</p>";
    }
    if (const std::size_t missing = page.missing(counts.events); missing > 0) {
        out += fmt::format("<p class=\"alarm\">{} more events are not on this page.</p>", missing);
    }
    out +=
        "<footer>Each line is an event of the evidence log; what stands below it, it "
        "caused. This page is a view and proves nothing by itself: "
        "<code>writ evidence bundle</code> makes the file that does.</footer>"
        "</main></body></html>\n";
    return pieces.finish();
}

}  // namespace writ::evidence

#include "catalog/resource.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"
#include "catalog/canonical.h"

namespace writ::catalog {

namespace {

constexpr std::string_view kFileScheme = "file://";

tl::unexpected<Error> bad_template(std::string_view text, std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("resource `{}` {}", inert(text, 256), why));
}
tl::unexpected<Error> bad_argument(std::string_view name, std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("argument `{}` {}", inert(name, 64), why));
}

bool is_variable_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && name.find_first_of("{}[]/*") == name.npos &&
           inert(name, 1024) == name;
}

std::string segment_fault(std::string_view text) {
    if (text.empty()) return "is empty";
    if (text.find_first_of("/?#%@:") != std::string_view::npos)
        return "has one of `/ ? # % @ :`, which its place in the resource does not allow";
    const std::string fault = relative_path_fault(text);
    return fault.empty() ? "" : "is not canonical: it " + fault;
}

// Segments that only arise where literals and values meet: `{a}.` with `.`.
bool has_dot_segment(std::string_view uri) {
    for (std::size_t at = 0; at <= uri.size();) {
        const auto end = std::min(uri.find('/', at), uri.size());
        const auto segment = uri.substr(at, end - at);
        if (segment == "." || segment == "..") return true;
        at = end + 1;
    }
    return false;
}

}  // namespace

Template::Place Template::place_of(std::string_view before, bool last) {
    if (last && before.empty()) return Place::kUrl;
    if (last && before == kFileScheme) return Place::kAbsolutePath;
    if (last && before.ends_with("://")) return Place::kAnyPath;
    if (last && before.ends_with('/')) return Place::kRelativePath;
    return Place::kSegment;
}

Result<Template> Template::parse(std::string_view text) {
    if (text.size() > kMaxTemplateBytes) return bad_template(text, "is too long");
    if (inert(text, kMaxTemplateBytes * 8) != text)
        return bad_template(text, "has control or invisible characters");
    if (text.find_first_of("*\\") != text.npos)
        return bad_template(text, "has `*` or a backslash; globs belong to [[domains]]");
    Template out;
    out.is_file_ = text.starts_with(kFileScheme);
    std::string_view rest = text;
    std::size_t arrays = 0;
    while (true) {
        const auto open = std::min(rest.find('{'), rest.size());
        Part part;
        part.literal = rest.substr(0, open);
        if (part.literal.find('}') != std::string::npos)
            return bad_template(text, "has a `}` without its `{`");
        if (open == rest.size()) {
            if (!part.literal.empty() || out.parts_.empty()) out.parts_.push_back(std::move(part));
            break;
        }
        const auto close = rest.find('}', open);
        if (close == rest.npos) return bad_template(text, "has a `{` without its `}`");
        auto name = rest.substr(open + 1, close - open - 1);
        part.each = name.ends_with("[]");
        if (part.each) name.remove_suffix(2);
        if (!is_variable_name(name))
            return bad_template(text,
                                "has a variable that is no argument name, write `{path}` or "
                                "`{paths[]}`");
        part.variable = name;
        arrays += part.each ? 1 : 0;
        if (part.literal.empty() && !out.parts_.empty())
            return bad_template(text, "has two variables side by side, put a `/` between them");
        const auto before = text.substr(0, text.size() - rest.size() + open);
        rest.remove_prefix(close + 1);
        part.place = place_of(before, rest.empty());
        if (before.empty() && !rest.empty())
            return bad_template(text, "begins with a variable, write the scheme before it");
        if (before == kFileScheme && !rest.empty())
            return bad_template(text, "has text after the path, write `file://{path}`");
        out.parts_.push_back(std::move(part));
    }
    if (arrays > 1) return bad_template(text, "has two `[]`, one is possible");
    if (out.parts_.front().literal.empty() && out.parts_.front().variable.empty())
        return bad_template(text, "is empty");
    if (out.parts_.front().literal.starts_with('/'))
        return bad_template(text, "is a path, write `file://` before it");
    return out;
}

const Template::Part* Template::each() const {
    for (const Part& part : parts_)
        if (part.each) return &part;
    return nullptr;
}

std::string Template::fault_at(Place place, std::string_view text, bool is_file) {
    const auto canonical = [](std::string fault) {
        return fault.empty() ? fault : "is not canonical: it " + fault;
    };
    switch (place) {
        case Place::kUrl:
            return canonical(url_fault(text));
        case Place::kAbsolutePath:
            return canonical(absolute_path_fault(text));
        case Place::kAnyPath:
        case Place::kRelativePath:
            if (!is_file && text.find_first_of("?#") != text.npos) return "has `?` or `#`";
            if (place == Place::kAnyPath && text.starts_with('/'))
                return canonical(absolute_path_fault(text));
            return canonical(relative_path_fault(text));
        case Place::kSegment:
            return segment_fault(text);
    }
    return "is not readable";
}

Status Template::append(std::string& uri, const Part& part, std::string_view text) const {
    if (auto fault = fault_at(part.place, text, is_file_); !fault.empty())
        return bad_argument(part.variable, fault);
    uri += text;
    // `https://host` and `https://host/` are one resource.
    if (part.place == Place::kUrl && text.find('/', text.find("://") + 3) == text.npos) uri += '/';
    return {};
}

Result<std::string> Template::substitute(const json::Value& arguments,
                                         const json::Value* element) const {
    std::string uri;
    for (const Part& part : parts_) {
        uri += part.literal;
        if (part.variable.empty()) continue;
        const auto value =
            part.each ? std::optional<json::Value>(*element) : arguments.find(part.variable);
        if (!value) return bad_argument(part.variable, "is missing, the resource needs it");
        const auto text = value->as_string();
        if (!text)
            return bad_argument(part.variable,
                                part.each ? "must be an array of strings" : "must be a string");
        if (auto ok = append(uri, part, *text); !ok) return fail(ok.error());
    }
    if (uri.size() > kMaxUriBytes)
        return fail(ErrorCode::kInvalid,
                    fmt::format("the resource is longer than {} bytes", kMaxUriBytes));
    if (has_dot_segment(uri))
        return fail(ErrorCode::kInvalid, "the resource has a `.` or `..` segment");
    return uri;
}

Result<std::vector<std::string>> Template::uris(const json::Value& arguments) const {
    std::vector<std::string> out;
    const auto add = [&](const json::Value* element) -> Status {
        auto uri = substitute(arguments, element);
        if (!uri) return fail(uri.error());
        out.push_back(std::move(*uri));
        return {};
    };
    const Part* array = each();
    if (array == nullptr) {
        if (auto ok = add(nullptr); !ok) return fail(ok.error());
        return out;
    }
    const auto list = arguments.find(array->variable);
    if (!list || !list->is_array())
        return bad_argument(array->variable, "must be an array of strings");
    if (list->size() == 0) return bad_argument(array->variable, "is empty, it names no resource");
    if (list->size() > kMaxResourcesPerCall)
        return bad_argument(array->variable,
                            fmt::format("has more than {} elements", kMaxResourcesPerCall));
    for (const json::Value& element : list->elements())
        if (auto ok = add(&element); !ok) return fail(ok.error());
    return out;
}

}  // namespace writ::catalog

#include "catalog/glob.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/inert.h"

namespace writ::catalog {

namespace {

// Why no uri could ever match, or what of another dialect is in it; empty if all is well.
std::string fault_of(std::string_view pattern) {
    if (pattern.empty()) return "is empty, write a uri such as `file:///data/**`";
    if (pattern.size() > kMaxGlobBytes) return fmt::format("has over {} bytes", kMaxGlobBytes);
    if (inert(pattern, kMaxGlobBytes * 8) != pattern) return "has control or invisible characters";
    if (pattern.find("***") != std::string_view::npos) return "has `***`, write `**`";
    if (pattern.find_first_of("[]{}\\") != std::string_view::npos)
        return "has brackets, braces or a backslash, only `*` and `**` are special: write one glob "
               "for each case";
    const auto scheme = pattern.find("://");
    std::string_view path = pattern;
    if (scheme != std::string_view::npos) {
        if (scheme == 0) return "has no scheme, write a uri such as `file:///data/**`";
        if (pattern.starts_with("file://") && pattern.substr(7, 1) != "/" &&
            pattern.substr(7, 1) != "*")
            return "names a host, write three slashes: `file:///…`";
        path = pattern.substr(scheme + 3);
    } else if (pattern.starts_with('/')) {
        return fmt::format("is a path, write the uri `file://{}`", inert(pattern, 256));
    }
    if (path.find("//") != std::string_view::npos) return "has `//`, which no uri here has";
    if (path.size() > 1 && path.ends_with('/'))
        return "ends with `/`, write `/*` for what is directly inside or `/**` for all below";
    for (std::size_t at = 0; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        const auto segment = path.substr(at, end - at);
        if (segment == "." || segment == "..") return "has a `.` or `..` segment, leave it out";
        at = end + 1;
    }
    return "";
}

}  // namespace

Result<Glob> Glob::parse(std::string_view pattern) {
    if (const std::string fault = fault_of(pattern); !fault.empty())
        return fail(ErrorCode::kInvalid, fmt::format("glob `{}` {}", inert(pattern, 256), fault));
    Glob out;
    out.compile(pattern);
    return out;
}

void Glob::compile(std::string_view pattern) {
    std::size_t i = 0;
    while (i < pattern.size()) {
        const auto rest = pattern.substr(i);
        if (rest.starts_with("/**") && (rest.size() == 3 || rest[3] == '/')) {
            steps_.insert(steps_.end(), {{Op::kMaybe, 0}, {Op::kByte, '/'}, {Op::kAny, 0}});
            i += 3;
        } else if (rest.starts_with("**")) {
            steps_.push_back({Op::kAny, 0});
            i += 2;
        } else if (rest[0] == '*') {
            steps_.push_back({Op::kStar, 0});
            i += 1;
        } else {
            if (steps_.empty())
                prefix_ += rest[0];
            else
                steps_.push_back({Op::kByte, rest[0]});
            i += 1;
        }
    }
}

// Marks the step at `at` and all that is reachable from it without taking a byte.
void Glob::reach(std::vector<bool>& states, std::size_t at) const {
    while (!states[at]) {
        states[at] = true;
        if (at == steps_.size() || steps_[at].op == Op::kByte) return;
        if (steps_[at].op == Op::kMaybe) reach(states, at + 3);
        ++at;
    }
}

bool Glob::matches(std::string_view uri) const {
    if (!uri.starts_with(prefix_)) return false;
    uri.remove_prefix(prefix_.size());
    const std::size_t end = steps_.size();
    if (end == 0) return uri.empty();
    // OPTIMIZATION: most globs end in their only star, `/*` or `/**`: no states to keep.
    if (end == 1) return steps_[0].op == Op::kAny || uri.find('/') == std::string_view::npos;
    if (end == 3 && steps_[0].op == Op::kMaybe) return uri.empty() || uri.front() == '/';
    std::vector<bool> now(end + 1), next(end + 1);
    reach(now, 0);
    for (const char byte : uri) {
        // OPTIMIZATION: a last `**` that was reached takes all that is left; most globs end so.
        if (steps_.back().op == Op::kAny && now[end - 1]) return true;
        std::fill(next.begin(), next.end(), false);
        bool alive = false;
        for (std::size_t at = 0; at < end; ++at) {
            if (!now[at]) continue;
            const auto [op, wanted] = steps_[at];
            const bool stays = op == Op::kAny || (op == Op::kStar && byte != '/');
            if (stays) reach(next, at);
            if (op == Op::kByte && byte == wanted) reach(next, at + 1);
            alive = alive || stays || (op == Op::kByte && byte == wanted);
        }
        if (!alive) return false;
        now.swap(next);
    }
    return now[end];
}

}  // namespace writ::catalog

// Templates that make a resource's uri out of a call's arguments, as tool rules write them:
//
//   file://{path}            an absolute canonical path        file:///data/a.md
//   file://{paths[]}         one resource for each element
//   file:///data/{name}      a canonical relative path, at the end after a `/`
//   git://{repo}             a path of either kind, at the end after `://`
//   {url}                    the whole uri: a canonical URL
//   issue://{owner}/{n}/x    elsewhere one segment: no `/ \ ? # % @ :`
//
// A variable names a string argument of the call. Whatever is substituted, two different calls
// never get one uri because of `..`, an encoding or a look-alike character: such arguments are
// refused (catalog/canonical.h says what is canonical, and that symbolic links are out of scope).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"

namespace writ::catalog {

inline constexpr std::size_t kMaxTemplateBytes = 1024;
// Elements of `{paths[]}` in one call: each is classified on the request path.
inline constexpr std::size_t kMaxResourcesPerCall = 256;

class Template {
  public:
    // Errors: kInvalid, with what to write instead.
    static Result<Template> parse(std::string_view text);
    // The uris a call touches, at least one. Errors: kInvalid naming the argument.
    Result<std::vector<std::string>> uris(const json::Value& arguments) const;

  private:
    enum class Place : std::uint8_t { kAbsolutePath, kAnyPath, kRelativePath, kUrl, kSegment };
    struct Part {
        std::string literal;   // before the variable
        std::string variable;  // argument name; empty: no more variables
        Place place = Place::kSegment;
        bool each = false;  // `{name[]}`
    };
    static Place place_of(std::string_view before, bool last);
    static std::string fault_at(Place place, std::string_view text, bool is_file);
    Status append(std::string& uri, const Part& part, std::string_view text) const;
    Result<std::string> substitute(const json::Value& arguments, const json::Value* element) const;

    std::vector<Part> parts_;
    bool is_file_ = false;
    const Part* each() const;
};

}  // namespace writ::catalog

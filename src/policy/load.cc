#include "policy/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/inert.h"
#include "crypto/hash.h"

namespace writ::policy {
namespace {

Status load_file(const std::string& file, const std::string& text, Loaded& into) {
    const std::string stem = std::filesystem::path(file).stem().string();
    auto parsed = cedar::PolicySet::parse(text, {.file = file, .id_prefix = stem + "."});
    if (!parsed) return fail(parsed.error());
    for (const auto& info : parsed->list()) {
        if (info.is_template)
            return fail(ErrorCode::kUnsupported, "templates are not offered: write the policy out",
                        info.at);
        auto notes = read_annotations(info);
        if (!notes) return fail(notes.error());
        const std::string id = notes->id.value_or(info.id);
        if (id != info.id) {
            if (const auto renamed = parsed->rename(info.id, id); !renamed)
                return fail(ErrorCode::kConflict,
                            fmt::format("the policy id `{}` is used twice", inert(id)), info.at);
        }
        if (into.notes.contains(id))
            return fail(ErrorCode::kConflict,
                        fmt::format("the policy id `{}` is used twice", inert(id)), info.at);
        into.notes.emplace(id, std::move(*notes));
        into.places.emplace(id, info.at);
    }
    return into.set.merge(*parsed);
}

}  // namespace

Result<std::shared_ptr<const Loaded>> load(PolicyFiles files) {
    std::sort(files.begin(), files.end());
    auto out = std::make_shared<Loaded>();
    std::string errors;
    Error first;
    std::string digest_input;
    for (const auto& [file, text] : files) {
        const std::string name = std::filesystem::path(file).filename().string();
        digest_input += fmt::format("{}:{}{}:{}", name.size(), name, text.size(), text);
        if (const auto done = load_file(file, text, *out); !done) {
            if (errors.empty()) first = done.error();
            errors += (errors.empty() ? "" : "\n") +
                      (errors.empty() ? done.error().detail : done.error().message());
        }
    }
    if (!errors.empty()) {
        first.detail = errors;
        return fail(std::move(first));
    }
    out->digest = crypto::sha256(digest_input);
    return std::shared_ptr<const Loaded>(std::move(out));
}

}  // namespace writ::policy

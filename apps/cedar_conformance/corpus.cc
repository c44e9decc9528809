#include "corpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>

#include "cedar/cedar.h"
#include "cedar/validator.h"
#include "json/value.h"

namespace writ::conformance {
namespace {

namespace fs = std::filesystem;
using Ids = std::set<std::string>;

constexpr std::size_t kFileBytesMax = 64 << 20;

Result<std::string> read_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::kNotFound, fmt::format("cannot read `{}`", file.string()));
    return std::string(std::istreambuf_iterator<char>(in), {});
}

struct Expected {
    cedar::Decision decision = cedar::Decision::kDeny;
    Ids reason, errors;
};

Ids ids(const json::Value& request, std::string_view key) {
    Ids out;
    if (const auto list = request.find(key))
        for (const json::Value& id : list->elements()) out.emplace(id.as_string().value_or(""));
    return out;
}

Result<cedar::EntityUid> uid(const json::Value& request, std::string_view key) {
    const auto value = request.find(key);
    const auto type = value ? value->string("type") : std::nullopt;
    const auto id = value ? value->string("id") : std::nullopt;
    if (!type || !id)
        return fail(ErrorCode::kInvalid, fmt::format("`{}` is no entity reference", key));
    return cedar::EntityUid{std::string(*type), std::string(*id)};
}

// With a validator the context is read as the schema says, and the request validated.
Result<cedar::Request> read_request(const json::Value& value,
                                    const std::optional<cedar::Validator>& validator) {
    auto principal = uid(value, "principal");
    auto action = uid(value, "action");
    auto resource = uid(value, "resource");
    if (!principal) return fail(principal.error());
    if (!action) return fail(action.error());
    if (!resource) return fail(resource.error());
    const auto context = value.find("context");
    if (!context) return fail(ErrorCode::kInvalid, "the request has no context");
    auto record =
        validator ? validator->read_context(*context, *action) : cedar::Value::from_json(*context);
    if (!record) return fail(record.error().in("context"));
    cedar::Request request{std::move(*principal), std::move(*action), std::move(*resource),
                           std::move(*record)};
    if (validator && value.boolean("validateRequest").value_or(true))
        if (auto status = validator->validate_request(request); !status)
            return fail(status.error().in("request"));
    return request;
}

std::string_view name(cedar::Decision decision) {
    return decision == cedar::Decision::kAllow ? "allow" : "deny";
}

// What differs, or nothing.
std::string difference(const Expected& expected, const cedar::Response& got) {
    const Ids reason(got.reason.begin(), got.reason.end());
    Ids errors;
    for (const auto& error : got.errors) errors.insert(error.policy);
    std::string out;
    if (got.decision != expected.decision)
        out +=
            fmt::format(" decision {} instead of {};", name(got.decision), name(expected.decision));
    if (reason != expected.reason)
        out += fmt::format(" reason {} instead of {};", reason, expected.reason);
    if (errors != expected.errors)
        out += fmt::format(" errors {} instead of {};", errors, expected.errors);
    if (!out.empty())
        for (const auto& error : got.errors) out += " " + error.message + ";";
    return out;
}

struct Loaded {
    cedar::PolicySet policies;
    std::optional<cedar::Validator> validator;  // with Check::kAll
    cedar::Entities entities;
};

// The text of the file that the case names under `key`.
Result<std::string> read_part(const fs::path& root, const json::Value& body, std::string_view key) {
    const auto path = body.string(key);
    if (!path) return fail(ErrorCode::kInvalid, fmt::format("the case names no `{}`", key));
    return read_file(root / *path);
}

Result<Loaded> load(const fs::path& root, const json::Value& body, Check check) {
    Loaded out;
    const auto policies_text = read_part(root, body, "policies");
    if (!policies_text) return fail(policies_text.error());
    auto policies =
        cedar::PolicySet::parse(*policies_text, {.file = std::string(*body.string("policies"))});
    if (!policies) return fail(policies.error());
    out.policies = std::move(*policies);
    if (check == Check::kAll) {
        const auto schema_text = read_part(root, body, "schema");
        if (!schema_text) return fail(schema_text.error());
        cedar::SchemaOptions options;
        options.file = std::string(*body.string("schema"));
        auto schema = options.file.ends_with(".json")
                          ? cedar::Schema::parse_json(*schema_text, options)
                          : cedar::Schema::parse(*schema_text, options);
        if (!schema) return fail(schema.error());
        out.validator.emplace(std::move(*schema));
    }
    const auto entities_text = read_part(root, body, "entities");
    if (!entities_text) return fail(entities_text.error());
    auto entities = out.validator ? out.validator->read_entities(*entities_text)
                                  : cedar::Entities::parse_json(*entities_text);
    if (!entities) return fail(entities.error());
    out.entities = std::move(*entities);
    return out;
}

// What is wrong with the verdict of validation, or nothing.
std::string run_validation(const json::Value& body, const Loaded& loaded) {
    const cedar::Validation got = loaded.validator->validate(loaded.policies);
    const bool expected = body.boolean("shouldValidate").value_or(false);
    if (got.passed() == expected) return {};
    std::string out =
        fmt::format(" validation {} instead of {};", got.passed() ? "passed" : "failed",
                    expected ? "passed" : "failed");
    for (const auto& finding : got.findings) out += " " + finding.text() + ";";
    return out;
}

std::string run_request(const json::Value& value, const Loaded& loaded) {
    const auto request = read_request(value, loaded.validator);
    if (!request) return " " + request.error().message();
    Expected expected;
    expected.decision =
        value.string("decision") == "allow" ? cedar::Decision::kAllow : cedar::Decision::kDeny;
    expected.reason = ids(value, "reason");
    expected.errors = ids(value, "errors");
    return difference(expected, cedar::authorize(*request, loaded.policies, loaded.entities));
}

}  // namespace

Result<std::vector<fs::path>> find_cases(const fs::path& root) {
    std::vector<fs::path> out;
    for (const char* folder : {"corpus-tests", "tests"}) {
        std::error_code error;
        for (fs::recursive_directory_iterator at(root / folder, error), end; !error && at != end;
             at.increment(error)) {
            const std::string file = at->path().filename().string();
            if (file.ends_with(".json") && !file.ends_with(".entities.json"))
                out.push_back(at->path());
        }
    }
    if (out.empty())
        return fail(ErrorCode::kNotFound,
                    fmt::format("`{}` has no cases in `corpus-tests` or `tests`", root.string()));
    std::sort(out.begin(), out.end());
    return out;
}

CaseResult run_case(const fs::path& root, const fs::path& file, Check check) {
    CaseResult out;
    const std::string shown = fs::relative(file, root).string();
    const auto text = read_file(file);
    const auto document =
        text ? json::parse(*text, {.bytes_max = kFileBytesMax}) : fail(text.error());
    if (!document) {
        out.failures.push_back(shown + ": " + document.error().message());
        return out;
    }
    const auto requests = document->root().find("requests");
    const auto list = requests ? requests->elements() : std::vector<json::Value>();
    const auto loaded = load(root, document->root(), check);
    const auto count = [&](const std::string& wrong, const std::string& what) {
        if (wrong.empty())
            ++out.passed;
        else
            out.failures.push_back(fmt::format("{} {}:{}", shown, what, wrong));
    };
    if (check == Check::kAll)
        count(loaded ? run_validation(document->root(), *loaded) : " " + loaded.error().message(),
              "policies");
    for (std::size_t i = 0; i < list.size(); ++i) {
        count(loaded ? run_request(list[i], *loaded) : " " + loaded.error().message(),
              fmt::format("request {}", i));
    }
    if (list.empty()) out.failures.push_back(shown + ": the case has no requests");
    return out;
}

}  // namespace writ::conformance

#include "cli/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <set>
#include <system_error>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // the packaged library is built with exceptions
#include <toml++/toml.h>

#include "base/limits.h"

namespace writ::cli {
namespace {

// What all tables of one file share.
struct Shared {
    std::string file;
    toml::table root;
    std::optional<Error> error;
};

SourceRef place(const std::string& file, const toml::source_region& region) {
    return SourceRef{file, region.begin.line, region.begin.column};
}

std::optional<std::int64_t> duration_s(std::string_view text) {
    std::int64_t amount = 0;
    std::size_t i = 0;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
        if (amount > 1'000'000'000) return std::nullopt;
        amount = amount * 10 + (text[i] - '0');
    }
    if (i == 0 || i + 1 != text.size()) return std::nullopt;
    switch (text[i]) {
        case 's':
            return amount;
        case 'm':
            return amount * 60;
        case 'h':
            return amount * 3'600;
        case 'd':
            return amount * 86'400;
        default:
            return std::nullopt;
    }
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] =
                std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const std::size_t d = distance(word, candidate);
        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}

struct TomlTable::State {
    std::shared_ptr<Shared> shared;
    const toml::table* table = nullptr;  // null: an absent sub-table
    std::string path;                    // `servers[0].tools[1]` for messages
    std::set<std::string, std::less<>> asked;
    std::vector<TomlTable> children;

    void fail_at(const toml::source_region& region, std::string detail) const {
        if (!shared->error)
            shared->error =
                Error{ErrorCode::kInvalid, std::move(detail), place(shared->file, region)};
    }
    const toml::node* get(std::string_view key) {
        asked.emplace(key);
        return table == nullptr ? nullptr : table->get(key);
    }
    std::string full(std::string_view key) const {
        return path.empty() ? std::string(key) : path + "." + std::string(key);
    }
    void missing(std::string_view key, std::string_view what) {
        const auto region = table != nullptr ? table->source() : toml::source_region{};
        std::vector<std::string> others;  // written and not asked for so far
        if (table != nullptr) {
            for (const auto& [other, node] : *table)
                if (!asked.contains(other.str())) others.emplace_back(other.str());
        }
        if (const auto slip = closest(key, others))
            return fail_at(table->get(*slip)->source(),
                           fmt::format("`{}` is not known, and `{}` is missing: write {} = {}",
                                       full(*slip), full(key), key, what));
        fail_at(region, fmt::format("`{}` is missing: write {} = {}", full(key), key, what));
    }
    void wrong(const toml::node& node, std::string_view key, std::string_view what) {
        fail_at(node.source(), fmt::format("`{}` must be {}", full(key), what));
    }
    // The text of `node`, null if it is none. A NUL would end paths, arguments and variables before
    // their end: the file would say something else than what is done.
    const std::string* text(const toml::node& node, std::string_view key) {
        const auto* value = node.as_string();
        if (value == nullptr || value->get().find('\0') == std::string::npos)
            return value == nullptr ? nullptr : &value->get();
        fail_at(node.source(),
                fmt::format("`{}` must not hold a NUL character (\\u0000)", full(key)));
        return nullptr;
    }
};

TomlTable::TomlTable(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::string> read_toml(const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
        return fail(ErrorCode::kInvalid,
                    fmt::format("`{}` is a folder: name the file in it", file.string()));
    std::ifstream in(file, std::ios::binary);
    if (!in && errno == ENOENT)
        return fail(ErrorCode::kNotFound, fmt::format("there is no file `{}`", file.string()));
    if (!in) return fail(io_error(fmt::format("cannot read `{}`", file.string()), errno));
    std::string text;
    text.resize(kMaxConfigFileBytes + 1);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxConfigFileBytes)
        return fail(ErrorCode::kTooLarge, fmt::format("`{}` is larger than {} bytes", file.string(),
                                                      kMaxConfigFileBytes));
    return text;
}

Result<TomlTable> TomlTable::load(const std::filesystem::path& file) {
    const auto text = read_toml(file);
    if (!text) return fail(text.error());
    return parse(*text, file.string());
}

Result<TomlTable> TomlTable::parse(std::string_view text, std::string name) {
    toml::parse_result result = toml::parse(text, name);
    if (!result) {
        const toml::parse_error& error = result.error();
        return fail(ErrorCode::kInvalid, std::string(error.description()),
                    place(name, error.source()));
    }
    auto shared = std::make_shared<Shared>();
    shared->file = std::move(name);
    shared->root = std::move(result).table();
    auto state = std::make_shared<State>();
    state->table = &shared->root;
    state->shared = std::move(shared);
    return TomlTable(std::move(state));
}

bool TomlTable::has(std::string_view key) const {
    return state_->table != nullptr && state_->table->contains(key);
}

std::string TomlTable::string(std::string_view key, std::optional<std::string> fallback) {
    const toml::node* node = state_->get(key);
    if (node == nullptr) {
        if (!fallback) state_->missing(key, "\"…\"");
        return fallback.value_or("");
    }
    const std::string* value = state_->text(*node, key);
    if (value == nullptr) {
        state_->wrong(*node, key, "a string");
        return {};
    }
    return *value;
}

std::int64_t TomlTable::integer(std::string_view key, std::optional<std::int64_t> fallback) {
    const toml::node* node = state_->get(key);
    if (node == nullptr) {
        if (!fallback) state_->missing(key, "<number>");
        return fallback.value_or(0);
    }
    const auto* value = node->as_integer();
    if (value == nullptr || value->get() < 0) {
        state_->wrong(*node, key, "a whole number, not negative");
        return 0;
    }
    return value->get();
}

bool TomlTable::boolean(std::string_view key, bool fallback) {
    const toml::node* node = state_->get(key);
    if (node == nullptr) return fallback;
    const auto* value = node->as_boolean();
    if (value == nullptr) {
        state_->wrong(*node, key, "true or false");
        return fallback;
    }
    return value->get();
}

std::int64_t TomlTable::seconds(std::string_view key, std::int64_t fallback) {
    const toml::node* node = state_->get(key);
    if (node == nullptr) return fallback;
    if (const auto* number = node->as_integer(); number != nullptr && number->get() >= 0)
        return number->get();
    if (const auto* text = node->as_string()) {
        if (const auto parsed = duration_s(text->get())) return *parsed;
    }
    state_->wrong(*node, key, "seconds, or a text such as \"90s\", \"15m\", \"8h\", \"7d\"");
    return fallback;
}

std::vector<std::string> TomlTable::strings(std::string_view key) {
    const toml::node* node = state_->get(key);
    std::vector<std::string> out;
    if (node == nullptr) return out;
    const auto* array = node->as_array();
    if (array == nullptr) {
        state_->wrong(*node, key, "a list of strings, e.g. [\"a\", \"b\"]");
        return out;
    }
    for (const auto& element : *array) {
        if (const std::string* text = state_->text(element, key)) {
            out.push_back(*text);
        } else {
            state_->wrong(element, key, "a list of strings, e.g. [\"a\", \"b\"]");
        }
    }
    return out;
}

std::map<std::string, std::string> TomlTable::string_map(std::string_view key) {
    const toml::node* node = state_->get(key);
    std::map<std::string, std::string> out;
    if (node == nullptr) return out;
    const auto* table = node->as_table();
    if (table == nullptr) {
        state_->wrong(*node, key, "a table of strings, e.g. { NAME = \"value\" }");
        return out;
    }
    for (const auto& [name, value] : *table) {
        if (const std::string* text = state_->text(value, key)) {
            out.emplace(std::string(name.str()), *text);
        } else {
            state_->wrong(value, key, "a table of strings, e.g. { NAME = \"value\" }");
        }
    }
    return out;
}

TomlTable TomlTable::table(std::string_view key) {
    const toml::node* node = state_->get(key);
    auto child = std::make_shared<State>();
    child->shared = state_->shared;
    child->path = state_->full(key);
    if (node != nullptr) {
        child->table = node->as_table();
        if (child->table == nullptr) state_->wrong(*node, key, fmt::format("a table: [{}]", key));
    }
    state_->children.push_back(TomlTable(child));
    return TomlTable(std::move(child));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
    const toml::node* node = state_->get(key);
    std::vector<TomlTable> out;
    if (node == nullptr) return out;
    const auto* array = node->as_array();
    if (array == nullptr) {
        state_->wrong(*node, key, fmt::format("a list of tables: [[{}]]", key));
        return out;
    }
    std::size_t index = 0;
    for (const auto& element : *array) {
        auto child = std::make_shared<State>();
        child->shared = state_->shared;
        child->path = fmt::format("{}[{}]", state_->full(key), index++);
        child->table = element.as_table();
        if (child->table == nullptr)
            state_->wrong(element, key, fmt::format("a list of tables: [[{}]]", key));
        state_->children.push_back(TomlTable(child));
        out.push_back(TomlTable(std::move(child)));
    }
    return out;
}

SourceRef TomlTable::at(std::string_view key) const {
    const toml::node* node = state_->table == nullptr ? nullptr : state_->table->get(key);
    if (node != nullptr) return place(state_->shared->file, node->source());
    if (state_->table != nullptr) return place(state_->shared->file, state_->table->source());
    return SourceRef{state_->shared->file, 0, 0};
}

void TomlTable::reject(std::string_view key, std::string detail) {
    if (!state_->shared->error)
        state_->shared->error = Error{ErrorCode::kInvalid, std::move(detail), at(key)};
}

void TomlTable::check_unknown_keys() {
    if (state_->table != nullptr) {
        for (const auto& [key, node] : *state_->table) {
            if (state_->asked.contains(key.str())) continue;
            const auto hint = closest(key.str(), {state_->asked.begin(), state_->asked.end()});
            state_->fail_at(key.source(),
                            fmt::format("unknown key `{}`{}", state_->full(key.str()),
                                        hint ? fmt::format(", did you mean `{}`?", *hint) : ""));
        }
    }
    for (auto& child : state_->children) child.check_unknown_keys();
}

Status TomlTable::finish() {
    check_unknown_keys();
    if (state_->shared->error) return fail(*state_->shared->error);
    return {};
}

}  // namespace writ::cli

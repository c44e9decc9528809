#include "cli/lent.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "base/inert.h"
#include "base/log.h"

namespace writ::cli {
namespace {

bool says_secret(std::string_view name) {
    static constexpr std::array<std::string_view, 7> kWords = {
        "KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH"};
    std::string upper(name);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    });
    return std::ranges::any_of(kWords, [&upper](std::string_view word) {
        for (auto at = upper.find(word); at != std::string::npos; at = upper.find(word, at + 1)) {
            const auto end = at + word.size();
            if (end == upper.size() || upper[end] == '_' || upper[end] == 'S') return true;
        }
        return false;
    });
}

}  // namespace

Result<std::shared_ptr<const gate::Secrets>> lent_secrets(
    const std::vector<catalog::ServerSpec>& servers) {
    std::vector<gate::Secrets::Value> values;
    std::set<std::pair<std::string, std::string>> seen;
    const auto add = [&](const std::string& name, std::string_view value, bool known = false) {
        if ((!known && !says_secret(name)) || !seen.emplace(name, value).second) return;
        if (value.size() < gate::kMinSecretBytes) {
            log::warn("up", "the value of {} is too short to be looked for in answers",
                      inert(name, 100));
            return;
        }
        values.push_back({name, SecretBytes(as_bytes(value))});
    };
    for (const auto& server : servers) {
        for (const auto& name : server.env)
            if (const char* value = std::getenv(name.c_str()); value != nullptr) add(name, value);
        for (const auto& [name, value] : server.set) add(name, value);
        // What goes out as a credential is one, whatever its variable is called.
        const auto lend = [&](const std::string& name) {
            if (const char* value = std::getenv(name.c_str()); value != nullptr)
                add(name, value, true);
        };
        if (!server.bearer_env.empty()) lend(server.bearer_env);
        for (const auto& [field, variable] : server.header_env) lend(variable);
    }
    auto made = gate::Secrets::make(std::move(values));
    if (!made) return fail(made.error().in("what is lent to tool servers cannot be kept back"));
    return made;
}

}  // namespace writ::cli

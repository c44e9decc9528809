#include "policy/names.h"

namespace writ::policy {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::string type_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool plain = letter(c) || (digit(c) && i > 0) ||
                           (c == '_' && (i + 1 == text.size() || text[i + 1] != '_'));
        if (plain) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += "__";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

std::optional<std::string> text_of_type_name(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '_' && i + 3 < name.size() && name[i + 1] == '_') {
            const auto high = kHex.find(name[i + 2]);
            const auto low = kHex.find(name[i + 3]);
            if (high != std::string_view::npos && low != std::string_view::npos) {
                out += static_cast<char>(high * 16 + low);
                i += 3;
                continue;
            }
        }
        out += name[i];
    }
    if (type_name(out) != name) return std::nullopt;
    return out;
}

}  // namespace writ::policy

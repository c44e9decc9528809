// What catalog's tests share.
#pragma once

#include <string>
#include <string_view>

namespace writ::catalog {

// A tool's definition as a server lists it.
inline std::string tool_json(std::string_view name, std::string_view description = "does it") {
    return R"({"name":")" + std::string(name) + R"(","description":")" + std::string(description) +
           R"(","inputSchema":{"type":"object"}})";
}

}  // namespace writ::catalog

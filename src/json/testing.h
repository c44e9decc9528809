// What json's tests share: another parser's opinion.
#pragma once

#include <simdjson.h>

#include <string>

namespace writ::json {

inline bool simdjson_accepts(const std::string& text) {
    simdjson::dom::parser parser;
    return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace writ::json

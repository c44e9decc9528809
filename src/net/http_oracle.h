// Beast's reading of a request that our codec accepted, for tests and the fuzzer: another opinion
// on where its body ends and what is in it. No part of what is shipped.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace writ::net {

struct OracleReading {
    bool chunked = false;
    std::optional<std::uint64_t> length;
    std::string body;
};

// `whole` is one request, nothing before or behind it. In one piece: in several, Beast 1.81 may
// abort (http_chunked.h). Nothing: Beast refuses it, or reads another end.
inline std::optional<OracleReading> beast_reads(std::string_view whole) {
    namespace http = boost::beast::http;
    http::request_parser<http::string_body> parser;
    parser.header_limit(std::numeric_limits<std::uint32_t>::max());
    parser.body_limit(boost::none);
    parser.eager(true);
    boost::system::error_code ec;
    const auto used = parser.put(boost::asio::const_buffer(whole.data(), whole.size()), ec);
    if (ec || !parser.is_done() || used != whole.size()) return std::nullopt;
    OracleReading out;
    out.chunked = parser.chunked();
    if (const auto length = parser.content_length()) out.length = *length;
    out.body = std::move(parser.get().body());
    return out;
}

}  // namespace writ::net

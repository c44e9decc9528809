// Beast's parser over bytes we have checked already. It decodes bodies, and it is a second opinion
// on the framing: where it reads a head differently than we do, the message is refused.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/http_head.h"

namespace writ::net {

// A line of a chunked body that is longer than this is an attack: sizes have few digits.
inline constexpr std::size_t kMaxChunkLineBytes = 256;

template <bool kRequest>
class Message {
  public:
    Message(std::size_t body_bytes_max, bool skip_body) {
        parser_.header_limit(std::numeric_limits<std::uint32_t>::max());
        parser_.body_limit(body_bytes_max);
        parser_.skip(skip_body);
        parser_.eager(false);
        parser_.on_chunk_header(refuse_extensions_);
    }

    // `raw` is one whole head. False: Beast reads something else in it.
    bool put_head(std::string_view raw, const Framing& framing) {
        boost::system::error_code ec;
        const auto used = parser_.put(boost::asio::const_buffer(raw.data(), raw.size()), ec);
        if (ec == boost::beast::http::error::body_limit) {
            too_large_ = true;  // a length beyond the limit
            return true;
        }
        if (ec || used != raw.size() || !parser_.is_header_done()) return false;
        fields_ = count_fields();
        parser_.eager(true);
        const auto length = parser_.content_length();
        return parser_.chunked() == framing.chunked &&
               length.has_value() == framing.length.has_value() &&
               (!length || *length == *framing.length);
    }

    enum class Body { kDone, kMore, kTooLarge, kMalformed };
    // Consumes from the front of `bytes` what belongs to the body.
    Body put_body(std::string& bytes) {
        if (too_large_) return Body::kTooLarge;
        std::size_t used = 0;
        boost::system::error_code ec;
        while (!parser_.is_done() && used < bytes.size()) {
            const boost::asio::const_buffer rest(bytes.data() + used, bytes.size() - used);
            const auto n = parser_.put(rest, ec);
            used += n;
            if (ec || n == 0) break;
        }
        bytes.erase(0, used);
        if (ec == boost::beast::http::error::body_limit) return Body::kTooLarge;
        if (ec && ec != boost::beast::http::error::need_more) return Body::kMalformed;
        // Trailers would be header fields that nobody has checked.
        if (parser_.is_done()) return count_fields() == fields_ ? Body::kDone : Body::kMalformed;
        // What is left is the beginning of a line.
        return bytes.size() > kMaxChunkLineBytes || has_bare_newline(bytes) ? Body::kMalformed
                                                                            : Body::kMore;
    }

    // The peer has closed: whole if that is how this body ends.
    bool put_end() {
        boost::system::error_code ec;
        parser_.put_eof(ec);
        return !ec && parser_.is_done();
    }

    std::string take_body() { return std::move(parser_.get().body()); }

  private:
    static bool has_bare_newline(std::string_view bytes) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) return true;
        return false;
    }
    std::ptrdiff_t count_fields() const {
        return std::distance(parser_.get().begin(), parser_.get().end());
    }

    std::function<void(std::uint64_t, boost::core::string_view, boost::system::error_code&)>
        refuse_extensions_ =
            [](std::uint64_t, boost::core::string_view extensions, boost::system::error_code& ec) {
                if (!extensions.empty()) ec = boost::beast::http::error::bad_chunk_extension;
            };
    boost::beast::http::parser<kRequest, boost::beast::http::string_body> parser_;
    std::ptrdiff_t fields_ = 0;
    bool too_large_ = false;
};

}  // namespace writ::net

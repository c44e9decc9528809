// The body of one message. Beast's parser reads the head that we have checked already as a second
// opinion: where it reads another framing than we do, the message is refused. It also decodes
// bodies of a given length and bodies that end with the connection.
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/http_chunked.h"
#include "net/http_head.h"

namespace writ::net {

template <bool kRequest>
class Message {
  public:
    Message(std::size_t body_bytes_max, bool skip_body)
        : skip_body_(skip_body), chunks_(body_bytes_max) {
        parser_.header_limit(std::numeric_limits<std::uint32_t>::max());
        parser_.body_limit(body_bytes_max);
        parser_.skip(skip_body);
        parser_.eager(false);
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
        parser_.eager(true);
        chunked_ = framing.chunked;
        const auto length = parser_.content_length();
        return parser_.chunked() == framing.chunked &&
               length.has_value() == framing.length.has_value() &&
               (!length || *length == *framing.length);
    }

    // Consumes from the front of `bytes` what belongs to the body.
    Body put_body(std::string& bytes) {
        if (too_large_) return Body::kTooLarge;
        if (parser_.is_done()) return Body::kDone;
        if (chunked_) return chunks_.put(bytes);
        boost::system::error_code ec;
        std::size_t used = 0;
        while (!parser_.is_done() && used < bytes.size() && !ec)
            used += parser_.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used),
                                ec);
        bytes.erase(0, used);
        if (ec == boost::beast::http::error::body_limit) return Body::kTooLarge;
        if (ec) return Body::kMalformed;
        return parser_.is_done() ? Body::kDone : Body::kMore;
    }

    // The peer has closed: whole if that is how this body ends.
    bool put_end() {
        if (chunked_) return false;
        boost::system::error_code ec;
        parser_.put_eof(ec);
        return !ec && parser_.is_done();
    }

    std::string take_body() {
        return chunked_ && !skip_body_ ? chunks_.take() : std::move(parser_.get().body());
    }

  private:
    const bool skip_body_;
    bool chunked_ = false;
    bool too_large_ = false;
    ChunkedBody chunks_;
    boost::beast::http::parser<kRequest, boost::beast::http::string_body> parser_;
};

}  // namespace writ::net

// The body of one request, as its head frames it: a given length, chunks, or none.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "net/http_chunked.h"
#include "net/http_head.h"

namespace writ::net {

class RequestBody {
  public:
    // A body longer than `bytes_max` is refused before it is read where its length is given.
    RequestBody(const Framing& framing, std::size_t bytes_max)
        : chunked_(framing.chunked),
          too_large_(framing.length.value_or(0) > bytes_max),
          left_(framing.length.value_or(0)),
          chunks_(bytes_max) {}

    // Consumes from the front of `bytes` what belongs to the body. After kTooLarge or kMalformed it
    // is not called again.
    Body put(std::string& bytes) {
        if (chunked_) return chunks_.put(bytes);
        if (too_large_) return Body::kTooLarge;
        if (body_.empty() && bytes.size() == left_) {
            // OPTIMIZATION: what came in one piece with nothing behind it is not copied.
            body_.swap(bytes);
            left_ = 0;
            return Body::kDone;
        }
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        body_.append(bytes, 0, n);
        bytes.erase(0, n);
        left_ -= n;
        return left_ == 0 ? Body::kDone : Body::kMore;
    }

    std::string take() { return chunked_ ? chunks_.take() : std::move(body_); }

  private:
    const bool chunked_;
    const bool too_large_;
    std::uint64_t left_;  // of a body of given length
    std::string body_;
    ChunkedBody chunks_;
};

}  // namespace writ::net

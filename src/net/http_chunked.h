// The chunked transfer coding (RFC 9112 section 7.1), read strictly: no chunk extensions and no
// trailer fields, which nobody here uses and which hide requests from whoever skips them. Our own,
// because Beast 1.81 aborts the process when a last chunk `0` CRLF CR arrives in pieces.
#pragma once

#include <cstdint>
#include <string>

namespace writ::net {

// How far a body has come.
enum class Body { kDone, kMore, kTooLarge, kMalformed };

class ChunkedBody {
  public:
    explicit ChunkedBody(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    // Consumes from the front of `bytes`. After kTooLarge or kMalformed it is not called again.
    Body put(std::string& bytes);
    std::string take() { return std::move(body_); }

  private:
    enum class Stage { kSize, kData, kDataEnd, kLastEnd };
    Body step(std::string_view& rest, bool& stuck);
    Body read_size(std::string_view& rest, bool& stuck);

    const std::size_t bytes_max_;
    Stage stage_ = Stage::kSize;
    std::uint64_t left_ = 0;  // of the chunk's data
    std::string body_;
};

}  // namespace writ::net

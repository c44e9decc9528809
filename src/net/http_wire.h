// The bytes of one HTTP connection, and how a message's head is written. Shared by server and
// client; Beast is not in here.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/asio_impl.h"
#include "net/http.h"

namespace writ::net {

// Input a peer may send ahead while its request is being answered: pipelined requests beyond it
// wait in the kernel.
inline constexpr std::size_t kReadAheadBytes = 64 << 10;

class TlsSession;

struct Wire {
    explicit Wire(std::shared_ptr<Poll> p);
    ~Wire();
    std::shared_ptr<Poll> poll;
    std::unique_ptr<TlsSession> tls;  // null: plain
    std::string in;                   // received, not yet consumed
    bool ended = false;               // the peer closed or reset
    bool cut = false;                 // it did so without the goodbye that TLS asks for
    bool full_read = false;           // the last read filled its buffer, or may have stopped
                                      // at urgent data: more is likely there
};

enum class Fill { kBytes, kEnd, kTimeout, kClosed };

// Takes what the socket has, without waiting. False if there was nothing.
bool slurp(Wire& wire);
// Appends at least one byte to wire->in, or says why not. `wire` outlives the call.
Task<Fill> fill(Wire* wire, TimePoint deadline);

// `HTTP/1.1 200 OK` with Date, the fields that are not the codec's own, and no empty line yet.
// Empty if a field or the status cannot be sent.
std::string response_head(int status, const Headers& headers);
// Whether the codec writes the field `name` itself.
bool is_codec_field(std::string_view name);
// Whether a response of that status never has a body (RFC 9110 section 6.4.1).
bool is_bodiless(int status);
// The small JSON answer of a refused request; it is the connection's last.
std::string refusal_response(int status, std::string_view text);

}  // namespace writ::net

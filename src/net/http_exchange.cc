#include "net/http_exchange.h"

#include <fmt/format.h>

#include "base/log.h"

namespace writ::net {
namespace {

Status gone() {
    return fail(ErrorCode::kCancelled, "the peer is gone");
}

void complain(Budget& answers) {
    if (const auto unsaid = answers.refusals.due())
        log::warn("net",
                  "an answer was cut off ({} more since the last such line): its reader is slow, "
                  "and {} of {} bytes wait for others like it already",
                  *unsaid, answers.used, answers.max);
}

Status unsendable() {
    return fail(ErrorCode::kInvalid, "a status or header field that cannot be sent");
}

}  // namespace

Status Exchange::may_begin() const {
    if (stage_ != Stage::kNothing)
        return fail(ErrorCode::kConflict, "the request is answered already");
    if (peer_gone()) return gone();
    return {};
}

Task<Status> Exchange::write(std::string head, std::string body) {
    co_await turn_.enter();
    const Turn held(turn_);
    if (peer_gone()) co_return gone();
    const TimePoint deadline = deadline_in(write_timeout_);
    Charge waits(answers_);
    Status written = co_await write_socket(wire_.poll, std::move(head), std::move(body), deadline,
                                           nullptr, &waits, holds_ ? &holds_ : nullptr);
    if (!written) broken_ = true;
    if (!written && written.error().code == ErrorCode::kExhausted) complain(*answers_);
    co_return written;
}

Task<Status> Exchange::send(HttpResponse response) {
    const Status allowed = may_begin();
    if (!allowed) co_return allowed;
    std::string head = response_head(response.status, response.headers);
    if (head.empty()) co_return unsendable();
    stage_ = Stage::kAnswered;
    const bool bodiless = is_bodiless(response.status);
    if (!bodiless)
        head.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
    head += keep_alive_ ? "\r\n" : "Connection: close\r\n\r\n";
    if (bodiless || head_only_) response.body.clear();
    co_return co_await write(std::move(head), std::move(response.body));
}

Task<Status> Exchange::begin(int status, Headers headers) {
    const Status allowed = may_begin();
    if (!allowed) co_return allowed;
    std::string head = response_head(status, headers);
    if (head.empty()) co_return unsendable();
    stage_ = Stage::kStreaming;
    bodiless_ = head_only_ || is_bodiless(status);
    if (http10_)
        keep_alive_ = false;  // without chunks only the end of the connection ends the body
    else if (!is_bodiless(status))
        head += "Transfer-Encoding: chunked\r\n";
    head += keep_alive_ ? "\r\n" : "Connection: close\r\n\r\n";
    std::string none;
    co_return co_await write(std::move(head), std::move(none));
}

Task<Status> Exchange::chunk(std::string bytes) {
    if (stage_ != Stage::kStreaming)
        co_return fail(ErrorCode::kConflict, "a chunk outside begin() and end()");
    if (peer_gone()) co_return gone();
    // An empty chunk would end the body.
    if (bytes.empty() || bodiless_) co_return Status();
    std::string head;
    if (!http10_) {
        head = fmt::format("{:x}\r\n", bytes.size());
        bytes += "\r\n";
    }
    co_return co_await write(std::move(head), std::move(bytes));
}

Task<Status> Exchange::end() {
    if (stage_ != Stage::kStreaming) co_return fail(ErrorCode::kConflict, "end() without begin()");
    stage_ = Stage::kAnswered;
    if (peer_gone()) co_return gone();
    if (bodiless_ || http10_) co_return Status();
    std::string last = "0\r\n\r\n";
    std::string none;
    co_return co_await write(std::move(last), std::move(none));
}

Task<bool> Exchange::finish() {
    holds_ = nullptr;  // the handler is gone, and what it refers to
    if (stage_ == Stage::kNothing && !peer_gone()) {
        auto silence = HttpResponse::json(500, R"({"error":"the request was not answered"})");
        co_await send(std::move(silence));
    }
    // A stream without its end is cut off, so that the client cannot take it for whole.
    co_return stage_ == Stage::kAnswered&& keep_alive_ && !peer_gone();
}

}  // namespace writ::net

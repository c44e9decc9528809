#include "net/http_wire.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <ctime>

#include "net/http_head.h"
#include "net/tls.h"

namespace writ::net {
namespace {

std::string_view reason(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Status";
    }
}

// IMF-fixdate (RFC 9110 section 5.6.7), made once a second.
const std::string& date() {
    thread_local std::time_t made_at = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != made_at) {
        std::tm utc = {};
        gmtime_r(&now, &utc);
        constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                           kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                           kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                           utc.tm_hour, utc.tm_min, utc.tm_sec);
        made_at = now;
    }
    return text;
}

// After a reception of `got` bytes, or minus an errno, with room for `room`. False if there was
// nothing.
bool note(Wire& wire, ssize_t got, std::size_t room) {
    if (got == -EAGAIN) {
        wire.full_read = false;
        return false;
    }
    wire.ended = got <= 0;
    if (got > 0)
        wire.full_read = static_cast<std::size_t>(got) == room || wire.poll->may_stop_early();
    return true;
}

}  // namespace

Wire::Wire(std::shared_ptr<Poll> p) : poll(std::move(p)) {}
Wire::~Wire() = default;

bool slurp(Wire& wire) {
    static thread_local std::array<char, 64 << 10> buffer;
    if (!wire.poll->is_open()) return false;
    if (wire.tls) {
        const ssize_t got = wire.tls->read(buffer.data(), buffer.size());
        if (got > 0) wire.in.append(buffer.data(), static_cast<std::size_t>(got));
        wire.ended = got == 0 || got == -2;
        wire.cut = got == -2;
        wire.full_read = got > 0;  // more may stand in OpenSSL, of which the socket knows nothing
        return got != -1;
    }
    ssize_t got = 0;
    do {
        got = recv(wire.poll->fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) wire.in.append(buffer.data(), static_cast<std::size_t>(got));
    return note(wire, got < 0 ? -errno : got, buffer.size());
}

Task<Fill> fill(Wire* wire, TimePoint deadline) {
    bool tried = wire->full_read && slurp(*wire);
    while (!tried && !wire->ended) {
        const Ready ready = co_await wire->poll->readable(deadline);
        if (ready == Ready::kTimeout) co_return Fill::kTimeout;
        if (ready == Ready::kClosed) co_return Fill::kClosed;
        if (wire->tls) {
            tried = slurp(*wire);
            if (tried) co_await wire->poll->reactor().in_step();
            continue;
        }
        Transfer reception;
        reception.into = &wire->in;
        co_await wire->poll->make(reception);
        if (reception.done == -ECANCELED) co_return Fill::kClosed;
        tried = note(*wire, reception.done, kTransferBytes);
    }
    co_return wire->ended ? Fill::kEnd : Fill::kBytes;
}

bool is_codec_field(std::string_view name) {
    for (const char* own : {"content-length", "transfer-encoding", "connection", "date"})
        if (equals_ignoring_case(name, own)) return true;
    return false;
}

bool is_bodiless(int status) {
    return status < 200 || status == 204 || status == 304;
}

std::string response_head(int status, const Headers& headers) {
    if (status < 200 || status > 599) return {};
    std::string out;
    out.reserve(256);
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason(status));
    out.append("\r\nDate: ").append(date()).append("\r\n");
    for (const auto [name, value] : headers) {
        if (is_codec_field(name)) continue;
        if (!is_header_name(name) || !is_header_value(value)) return {};
        out.append(name).append(": ").append(value).append("\r\n");
    }
    return out;
}

std::string refusal_response(int status, std::string_view text) {
    const std::string body = fmt::format(R"({{"error":"{}"}})", text);
    return fmt::format(
        "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        status, reason(status), date(), body.size(), body);
}

HttpResponse HttpResponse::json(int status, std::string body) {
    HttpResponse out;
    out.status = status;
    out.headers.add("Content-Type", "application/json");
    out.body = std::move(body);
    return out;
}

}  // namespace writ::net

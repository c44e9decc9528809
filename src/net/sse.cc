#include "net/sse.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace writ::net {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Status SseParser::put(std::string_view bytes) {
    if (failed_) return fail(ErrorCode::kTooLarge, "an event of the stream was too large");
    while (!bytes.empty()) {
        if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        const std::string_view part = bytes.substr(0, end);
        if (line_.size() + part.size() + data_.size() > event_bytes_max_) {
            failed_ = true;
            return fail(ErrorCode::kTooLarge, "an event of the stream was too large");
        }
        if (end == std::string_view::npos) {
            line_.append(part);
            break;
        }
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (line_.empty()) {  // the usual case: a line that came in one piece is not copied
            take_line(part);
        } else {
            line_.append(part);
            const std::string line = std::exchange(line_, {});
            take_line(line);
        }
    }
    return {};
}

std::optional<SseEvent> SseParser::next() {
    if (events_.empty()) return std::nullopt;
    SseEvent out = std::move(events_.front());
    events_.pop_front();
    return out;
}

void SseParser::take_line(std::string_view line) {
    if (!std::exchange(begun_, true) && line.starts_with(kByteOrderMark))
        line.remove_prefix(kByteOrderMark.size());
    if (line.empty()) return dispatch();
    const auto colon = line.find(':');
    if (colon == 0) {
        ++idle_lines_;
        return;
    }
    std::string_view value;
    if (colon != std::string_view::npos) {
        value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
    }
    take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view name, std::string_view value) {
    if (name == "data") {
        if (std::exchange(has_data_, true)) data_ += '\n';
        data_.append(value);
    } else if (name == "event") {
        type_ = value;
    } else if (name == "id") {
        if (value.find('\0') == std::string_view::npos && value.size() <= kMaxSseIdBytes)
            id_ = value;
    } else if (name == "retry") {
        const bool digits = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
            return c >= '0' && c <= '9';
        });
        std::uint64_t ms = kMaxSseRetry_ms;  // also where it does not fit
        if (digits) std::from_chars(value.data(), value.data() + value.size(), ms);
        if (digits) retry_ms_ = std::min(ms, kMaxSseRetry_ms);
    } else {
        ++idle_lines_;
    }
}

void SseParser::dispatch() {
    last_id_ = id_;
    SseEvent event;
    event.data = std::exchange(data_, {});
    const std::string type = std::exchange(type_, {});
    if (!type.empty()) event.type = type;
    if (std::exchange(has_data_, false))
        events_.push_back(std::move(event));
    else
        ++idle_lines_;
}

}  // namespace writ::net

#include "gate/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "json/utf8.h"

namespace writ::gate {

namespace {

constexpr std::size_t kMaxShownNameBytes = 100;

// A name as it may stand in JSON and in plain text: what is not a visible ASCII character, and what
// has a meaning there, as %XX.
std::string shown_name(std::string_view name) {
    constexpr std::string_view kMeant = "\"\\%[]<>&";
    std::string out;
    for (const char c : name.substr(0, kMaxShownNameBytes)) {
        const bool plain = c > 0x20 && c < 0x7f && kMeant.find(c) == std::string_view::npos;
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return name.size() > kMaxShownNameBytes ? out + "..." : out;
}

// The characters of base64 that do not depend on what stands before and after `value`, when it
// begins at byte `offset` of a group of three.
std::string base64_core(ByteView value, std::size_t offset, bool url) {
    Bytes padded(offset, 0);
    padded.insert(padded.end(), value.begin(), value.end());
    const std::string text = url ? to_base64url(padded) : to_base64(padded);
    const std::size_t skip = offset == 0 ? 0 : offset + 1;
    const std::size_t whole = padded.size() * 8 / 6;
    return whole > skip ? text.substr(skip, whole - skip) : std::string();
}

// JSON text as its reader sees it, with the place each byte came from. Escapes are resolved
// wherever they stand; what is cut off at the end is left out.
struct Plain {
    std::string text;
    std::vector<std::uint32_t> from;  // empty: the text itself
    std::size_t whole = 0;            // bytes of the source that were read

    std::size_t at(std::size_t i) const {
        if (from.empty()) return i;
        return i < from.size() ? from[i] : whole;
    }
};

std::optional<unsigned> hex4(std::string_view text) {
    unsigned out = 0;
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (std::isxdigit(u) == 0) return std::nullopt;
        out = out << 4U | (std::isdigit(u) != 0 ? u - '0' : (u | 32U) - 'a' + 10U);
    }
    return out;
}

// The length of the escape at the start of `text`, and what it says; 0: it is cut off.
std::size_t read_escape(std::string_view text, std::string& out) {
    if (text.size() < 2) return 0;
    constexpr std::string_view kFrom = "bfnrt";
    constexpr std::string_view kTo = "\b\f\n\r\t";
    const char c = text[1];
    if (c == 'u') {
        if (text.size() < 6) return 0;
        const auto code = hex4(text.substr(2, 4));
        if (!code) {
            out += c;
            return 2;
        }
        // Half a surrogate pair: a byte that no text has.
        if (*code >= 0xD800 && *code < 0xE000) {
            out += '\xFF';
        } else {
            json::append_utf8(out, *code);
        }
        return 6;
    }
    const auto known = kFrom.find(c);
    out += known == std::string_view::npos ? c : kTo[known];
    return 2;
}

Plain plain_of(std::string_view source) {
    Plain out;
    if (source.find('\\') == std::string_view::npos) {
        out.text = source;
        out.whole = source.size();
        return out;
    }
    out.text.reserve(source.size());
    out.from.reserve(source.size());
    std::size_t i = 0;
    while (i < source.size()) {
        std::size_t used = 1;
        const std::size_t before = out.text.size();
        if (source[i] != '\\') {
            out.text += source[i];
        } else {
            used = read_escape(source.substr(i), out.text);
        }
        if (used == 0) break;
        out.from.insert(out.from.end(), out.text.size() - before, static_cast<std::uint32_t>(i));
        i += used;
    }
    out.whole = i;
    return out;
}

// The longest end of `text` that is a beginning of `secret`, not the whole of it.
std::size_t overhang(std::string_view text, std::string_view secret) {
    for (std::size_t n = std::min(text.size(), secret.size() - 1); n > 0; --n)
        if (text.substr(text.size() - n) == secret.substr(0, n)) return n;
    return 0;
}

struct Hit {
    std::size_t begin = 0, end = 0, value = 0;
};

}  // namespace

Result<std::shared_ptr<const Secrets>> Secrets::make(std::vector<Value> values) {
    if (values.size() > kMaxSecrets)
        return fail(ErrorCode::kExhausted,
                    fmt::format("{} secrets to look for in answers, at most {} (kMaxSecrets)",
                                values.size(), kMaxSecrets));
    auto out = std::make_shared<Secrets>();
    for (Value& value : values) {
        std::string shown = shown_name(value.name);
        if (value.bytes.size() < kMinSecretBytes)
            return fail(ErrorCode::kInvalid, "the secret `" + shown +
                                                 "` is shorter than kMinSecretBytes, which would "
                                                 "be found by accident");
        const ByteView view =
            value.bytes.view().first(std::min(value.bytes.size(), kMaxSecretBytes));
        std::vector<std::string> spelt = {std::string(as_text(view)), to_hex(view)};
        std::string upper = spelt.back();
        std::ranges::transform(upper, upper.begin(), [](char c) {
            return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        });
        spelt.push_back(std::move(upper));
        for (const std::size_t offset : {0U, 1U, 2U}) {
            spelt.push_back(base64_core(view, offset, false));
            spelt.push_back(base64_core(view, offset, true));
        }
        std::ranges::sort(spelt);
        spelt.erase(std::ranges::unique(spelt).begin(), spelt.end());
        for (std::string& text : spelt) {
            if (text.size() >= kMinSecretBytes)
                out->spellings_.push_back({out->names_.size(), SecretBytes(as_bytes(text))});
            std::ranges::fill(text, '\0');
        }
        out->names_.push_back(std::move(shown));
    }
    return std::shared_ptr<const Secrets>(std::move(out));
}

std::string SecretScan::pass(std::string_view bytes) {
    held_ += bytes;
    return scan(false);
}

std::string SecretScan::rest() {
    return scan(true);
}

std::string SecretScan::scan(bool last) {
    const Plain plain = plain_of(held_);
    std::vector<Hit> hits;
    std::size_t keep = 0;  // of the end of plain.text
    for (const auto& spelling : secrets_->spellings_) {
        const std::string_view secret = as_text(spelling.bytes.view());
        for (auto at = plain.text.find(secret); at != std::string::npos;
             at = plain.text.find(secret, at + secret.size()))
            hits.push_back({at, at + secret.size(), spelling.value});
        keep = std::max(keep, overhang(plain.text, secret));
    }
    std::ranges::sort(hits, {}, &Hit::begin);
    // A hit that reaches into what is kept is complete: it goes now, and what overlaps it with it.
    std::size_t to = plain.text.size() - (last ? 0 : keep);
    for (const Hit& hit : hits)
        if (hit.begin < to) to = std::max(to, hit.end);
    std::string out;
    std::size_t done = 0;  // of held_
    for (const Hit& hit : hits) {
        if (hit.begin >= to) break;
        const std::size_t begin = plain.at(hit.begin), end = plain.at(hit.end);
        if (begin >= done) {
            out.append(held_, done, begin - done);
            out += "[withheld: " + secrets_->names_[hit.value] + "]";
            ++found_;
        }
        done = std::max(done, end);
    }
    const std::size_t stop = last ? held_.size() : std::max(plain.at(to), done);
    out.append(held_, done, stop - done);
    held_.erase(0, stop);
    return out;
}

}  // namespace writ::gate

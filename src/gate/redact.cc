#include "gate/redact.h"

#include <re2/re2.h>

#include <array>
#include <charconv>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "json/node.h"
#include "json/utf8.h"
#include "json/value.h"

namespace writ::gate {

class Pattern {
  public:
    explicit Pattern(const std::string& expression, const RE2::Options& options)
        : re(expression, options) {}
    RE2 re;
};

namespace {

constexpr std::string_view kPlaceholder = "[redacted]";
// An embedded blob that is decoded to look into it.
constexpr std::size_t kMaxBlobBytes = kMaxUpstreamMessageBytes;
constexpr std::int64_t kCompiledBytes_max = 1 << 20;

struct Named {
    std::string_view name, expression;
};
constexpr std::array<Named, 6> kPatterns = {{
    {"email", R"([A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)"},
    {"iban", R"(\b[A-Z]{2}[0-9]{2}( ?[A-Z0-9]{4}){2,7}( ?[A-Z0-9]{1,4})?\b)"},
    {"payment-card", R"(\b[0-9]{4}([ -]?)[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}\b)"},
    {"ipv4", R"(\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b)"},
    {"jwt", R"(\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)"},
    {"private-key",
     R"((?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$))"},
}};

Result<std::string> expression_of(std::string_view value) {
    constexpr std::string_view kExpression = "re:";
    if (value.starts_with(kExpression)) return std::string(value.substr(kExpression.size()));
    std::string names;
    for (const Named& each : kPatterns) {
        if (each.name == value) return std::string(each.expression);
        names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    return fail(ErrorCode::kInvalid, "`@redact` knows no `" + std::string(value) + "`: use " +
                                         names + ", or re: and an RE2 expression");
}

Result<std::size_t> bytes_of(std::string_view value) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
    const std::size_t factor = unit.empty() || unit == "B" ? 1
                               : unit == "KiB"             ? std::size_t{1} << 10
                               : unit == "MiB"             ? std::size_t{1} << 20
                                                           : 0;
    if (error != std::errc() || factor == 0 || number == 0 || number > (std::size_t{1} << 30))
        return fail(ErrorCode::kInvalid,
                    "`@cap` takes bytes, as in @cap(\"65536\") or "
                    "@cap(\"64KiB\"), not `" +
                        std::string(value) + "`");
    return number * factor;
}

// Rewrites every text of a JSON value.
class Redactor {
  public:
    explicit Redactor(const std::vector<std::shared_ptr<const Pattern>>& patterns)
        : patterns_(patterns) {}

    json::Node value(const json::Value& in, bool blob) {
        if (const auto text = in.as_string())
            return json::Node(blob ? binary(*text) : plain(*text));
        if (in.is_array()) {
            json::Node out = json::Node::array();
            for (const json::Value& each : in.elements()) out.push_back(value(each, blob));
            return out;
        }
        if (!in.is_object()) return scalar(in);
        json::Node out = json::Node::object();
        for (const json::Member& member : in.members()) {
            const bool binary = member.key == "blob" || member.key == "data";
            out[free_name(out, plain(member.key))] = value(member.value, binary);
        }
        return out;
    }
    std::size_t count() const { return count_; }

  private:
    std::string plain(std::string_view text) {
        std::string out(text);
        for (const auto& pattern : patterns_) {
            const int n = RE2::GlobalReplace(
                &out, pattern->re, re2::StringPiece(kPlaceholder.data(), kPlaceholder.size()));
            count_ += static_cast<std::size_t>(n);
        }
        return out;
    }
    // Base64 of a text is looked into as well; of anything else, and what is not base64, the
    // characters themselves.
    std::string binary(std::string_view text) {
        const auto bytes = text.size() <= kMaxBlobBytes ? from_base64(text) : std::nullopt;
        if (!bytes || json::first_invalid_utf8(as_text(*bytes)) != bytes->size())
            return plain(text);
        const std::size_t before = count_;
        const std::string changed = plain(as_text(*bytes));
        return count_ == before ? plain(text) : to_base64(as_bytes(changed));
    }
    // Numbers may be what is looked for, too: a card number need not be a text.
    json::Node scalar(const json::Value& in) {
        const std::size_t before = count_;
        std::string changed = plain(in.raw());
        if (count_ != before) return json::Node(std::move(changed));
        return json::Node::from(in);
    }
    // Two names may become the same.
    static std::string free_name(const json::Node& object, std::string name) {
        const auto* members = object.if_object();
        std::string out = name;
        for (int n = 2; members->contains(out); ++n) out = name + " " + std::to_string(n);
        return out;
    }

    const std::vector<std::shared_ptr<const Pattern>>& patterns_;
    std::size_t count_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Pattern>> Patterns::get(std::string_view value) {
    if (value.size() > kMaxPatternBytes)
        return fail(ErrorCode::kTooLarge, "a pattern of `@redact` is longer than kMaxPatternBytes");
    const std::lock_guard lock(mutex_);
    const std::string key(value);
    if (const auto found = made_.find(key); found != made_.end()) return found->second;
    if (made_.size() >= kMaxPatterns)
        return fail(ErrorCode::kExhausted, "policies use more patterns than kMaxPatterns");
    const auto expression = expression_of(value);
    if (!expression) return fail(expression.error());
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kCompiledBytes_max);
    auto pattern = std::make_shared<const Pattern>(*expression, options);
    if (!pattern->re.ok())
        return fail(ErrorCode::kInvalid, "`@redact(\"" + key + "\")`: " + pattern->re.error());
    if (RE2::FullMatch("", pattern->re))
        return fail(ErrorCode::kInvalid, "`@redact(\"" + key + "\")` matches the empty text");
    made_.emplace(key, pattern);
    return pattern;
}

Result<Duties> duties_of(const std::vector<policy::Obligation>& obligations, Patterns& patterns) {
    Duties out;
    for (const policy::Obligation& each : obligations) {
        if (each.kind == "redact") {
            auto pattern = patterns.get(each.value);
            if (!pattern) return fail(ErrorCode::kUnsupported, pattern.error().detail);
            out.redact.push_back(std::move(*pattern));
        } else if (each.kind == "cap") {
            const auto bytes = bytes_of(each.value);
            if (!bytes) return fail(ErrorCode::kUnsupported, bytes.error().detail);
            out.cap_bytes = std::min(out.cap_bytes.value_or(*bytes), *bytes);
        } else if (each.kind != "notify") {  // the decision event is the notification
            return fail(ErrorCode::kUnsupported,
                        "`@" + each.kind + "`, which this gateway cannot carry out");
        }
    }
    return out;
}

Result<Redacted> redact(std::string_view text,
                        const std::vector<std::shared_ptr<const Pattern>>& patterns) {
    const auto document = json::parse(text, {.bytes_max = kMaxUpstreamMessageBytes});
    if (!document) return fail(document.error().in("the answer cannot be redacted"));
    Redactor redactor(patterns);
    const json::Node out = redactor.value(document->root(), false);
    if (redactor.count() == 0) return Redacted{std::string(text), 0};
    return Redacted{out.dump(), redactor.count()};
}

}  // namespace writ::gate

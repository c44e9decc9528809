#include "json/value.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "json/tape.h"

namespace writ::json {

namespace {

const Tape& null_tape() {
    static const Tape tape{"null", {TapeNode{0, 4, 1, 0, kInText, Kind::kNull}}, {}};
    return tape;
}

constexpr std::int64_t kExponentMax = 1'000'000'000'000;  // no text has that many digits

// Whether a lexeme that from_chars found out of range is so because it is tiny, not because it is
// huge: whether the first digit that counts stands behind the point once the exponent is applied.
// `lexeme` is valid JSON; zero is always in range and never comes here.
bool is_tiny(std::string_view lexeme) {
    std::size_t exponent_at = std::min(lexeme.find_first_of("eE"), lexeme.size());
    std::string_view digits = lexeme.substr(0, exponent_at);
    std::size_t point = std::min(digits.find('.'), digits.size());
    std::size_t first = std::min(digits.find_first_of("123456789"), digits.size());
    std::int64_t place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
    if (exponent_at == lexeme.size()) return place <= 0;

    std::string_view exponent = lexeme.substr(exponent_at + 1);
    bool negative = exponent.front() == '-';
    if (negative || exponent.front() == '+') exponent.remove_prefix(1);
    std::int64_t scale = 0;
    for (char c : exponent) scale = std::min(scale * 10 + (c - '0'), kExponentMax);
    return place + (negative ? -scale : scale) <= 0;
}

}  // namespace

Document::Document() = default;
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::Document(std::unique_ptr<const Tape> tape) : tape_(std::move(tape)) {}

std::optional<Document> Document::of(const Value& value, std::string_view text) {
    if (value.tape_ == nullptr || value.raw() != text) return std::nullopt;
    const Tape& whole = *value.tape_;
    const TapeNode& top = whole.nodes[value.index_];
    auto tape = std::make_unique<Tape>();
    tape->text = text;
    tape->nodes.assign(whole.nodes.begin() + value.index_, whole.nodes.begin() + top.next);
    bool escaped = false;
    for (TapeNode& node : tape->nodes) {
        node.begin -= top.begin;
        node.end -= top.begin;
        node.next -= value.index_;
        escaped = escaped || node.arena_at != kInText;
    }
    if (escaped) tape->arena = whole.arena;
    return Document(std::move(tape));
}

Value Document::root() const {
    return {tape_ ? tape_.get() : &null_tape(), 0};
}

Kind Value::kind() const {
    return tape_->nodes[index_].kind;
}

std::string_view Value::raw() const {
    const TapeNode& node = tape_->nodes[index_];
    return tape_->text.substr(node.begin, node.end - node.begin);
}

std::optional<bool> Value::as_bool() const {
    if (!is_bool()) return std::nullopt;
    return raw().front() == 't';
}

std::optional<std::string_view> Value::as_string() const {
    if (!is_string()) return std::nullopt;
    return tape_->string_at(index_);
}

std::optional<std::int64_t> Value::as_i64() const {
    if (!is_number()) return std::nullopt;
    std::string_view lexeme = raw();
    const char* end = lexeme.data() + lexeme.size();
    std::int64_t out = 0;
    auto [stop, error] = std::from_chars(lexeme.data(), end, out);
    if (error != std::errc() || stop != end) return std::nullopt;
    return out;
}

std::optional<double> Value::as_double() const {
    if (!is_number()) return std::nullopt;
    std::string_view lexeme = raw();
    double out = 0;
    auto [stop, error] = std::from_chars(lexeme.data(), lexeme.data() + lexeme.size(), out);
    if (error == std::errc()) return out;
    if (error != std::errc::result_out_of_range || !is_tiny(lexeme)) return std::nullopt;
    return lexeme.front() == '-' ? -0.0 : 0.0;
}

std::size_t Value::size() const {
    const TapeNode& node = tape_->nodes[index_];
    return node.kind == Kind::kArray || node.kind == Kind::kObject ? node.count : 0;
}

std::vector<Value> Value::elements() const {
    std::vector<Value> out;
    if (!is_array()) return out;
    const TapeNode& node = tape_->nodes[index_];
    out.reserve(node.count);
    for (std::uint32_t i = index_ + 1; i < node.next; i = tape_->nodes[i].next) {
        out.push_back(Value(tape_, i));
    }
    return out;
}

std::vector<Member> Value::members() const {
    std::vector<Member> out;
    if (!is_object()) return out;
    const TapeNode& node = tape_->nodes[index_];
    out.reserve(node.count);
    for (std::uint32_t i = index_ + 1; i < node.next; i = tape_->nodes[i + 1].next) {
        out.push_back(Member{tape_->string_at(i), Value(tape_, i + 1)});
    }
    return out;
}

std::optional<Value> Value::find(std::string_view key) const {
    if (!is_object()) return std::nullopt;
    const TapeNode& node = tape_->nodes[index_];
    for (std::uint32_t i = index_ + 1; i < node.next; i = tape_->nodes[i + 1].next) {
        if (tape_->nodes[i].count == key.size() && tape_->string_at(i) == key) {
            return Value(tape_, i + 1);
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> Value::string(std::string_view key) const {
    std::optional<Value> member = find(key);
    return member ? member->as_string() : std::nullopt;
}

std::optional<std::int64_t> Value::i64(std::string_view key) const {
    std::optional<Value> member = find(key);
    return member ? member->as_i64() : std::nullopt;
}

std::optional<bool> Value::boolean(std::string_view key) const {
    std::optional<Value> member = find(key);
    return member ? member->as_bool() : std::nullopt;
}

}  // namespace writ::json

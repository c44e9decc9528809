// JSON read strictly and once (docs/architecture.md, rule 2).
//
// parse() accepts exactly RFC 8259 in valid UTF-8 and refuses what lets two readers disagree:
// duplicate member names (compared after unescaping), lone surrogates, trailing bytes, nesting
// beyond the limit. Every value knows the range of the text it came from, so that a caller can
// forward the very bytes it decided on. Numbers keep their lexeme.
//
//   auto doc = json::parse(body, {});
//   if (!doc) …doc.error() says what and where…
//   const json::Value* name = doc->root().find("name");
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace writ::json {

enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

class Document;
class Value;
struct Member;
struct Tape;  // json/tape.h, this room's own

// A view of one value of a Document, valid as long as the Document (moved or not) and the text it
// was parsed from. Two words; cheap to copy. Thread: any, a parsed Document never changes.
class Value {
  public:
    Kind kind() const;
    bool is_null() const { return kind() == Kind::kNull; }
    bool is_bool() const { return kind() == Kind::kBool; }
    bool is_number() const { return kind() == Kind::kNumber; }
    bool is_string() const { return kind() == Kind::kString; }
    bool is_array() const { return kind() == Kind::kArray; }
    bool is_object() const { return kind() == Kind::kObject; }

    // The exact bytes of this value in the parsed text, without surrounding white space.
    std::string_view raw() const;
    std::optional<bool> as_bool() const;
    // The unescaped text; nullopt if not a string.
    std::optional<std::string_view> as_string() const;
    // An integer lexeme (no fraction, no exponent) that fits; nullopt otherwise. `-0` gives 0.
    std::optional<std::int64_t> as_i64() const;
    // Any number lexeme, nearest double; nullopt where that is not finite (`1e400`).
    std::optional<double> as_double() const;

    // Number of elements or members; 0 for scalars.
    std::size_t size() const;
    // Elements of an array in order. `for (json::Value v : value.elements())`
    std::vector<Value> elements() const;
    // Members of an object in the order of the text.
    std::vector<Member> members() const;
    // The member of that (unescaped) name, or nothing.
    std::optional<Value> find(std::string_view key) const;

    // Shorthands over find(): the member if it is there and of that kind.
    std::optional<std::string_view> string(std::string_view key) const;
    std::optional<std::int64_t> i64(std::string_view key) const;
    std::optional<bool> boolean(std::string_view key) const;

  private:
    friend class Document;
    Value(const Tape* tape, std::uint32_t index) : tape_(tape), index_(index) {}
    const Tape* tape_;     // owned by the Document
    std::uint32_t index_;  // of its node in the tape
};

struct Member {
    std::string_view key;  // unescaped
    Value value;
};

// A parsed text: a flat tape of nodes plus an arena of unescaped strings. It does NOT own the text:
// whoever called parse() keeps it alive and unchanged. Movable, and its Values stay valid; an empty
// or moved-from Document has the root `null`.
class Document {
  public:
    Document();
    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    Value root() const;
    // `value` of another Document as a Document of its own over `text`, which has the very bytes of
    // value.raw(); nothing if it has not. Nothing is read again: the nodes are copied.
    static std::optional<Document> of(const Value& value, std::string_view text);

  private:
    friend class Parser;
    explicit Document(std::unique_ptr<const Tape> tape);
    std::unique_ptr<const Tape> tape_;
};

struct ParseLimits {
    std::size_t bytes_max = kMaxBodyBytes;
    std::size_t depth_max = kMaxJsonDepth;
};

// Errors: kInvalid (message names the offset, e.g. ``duplicate member `a` at byte 12``), kTooLarge
// for a limit passed, be it of bytes or of depth. `text` must outlive the Document. Cost: about 1
// us per KiB.
Result<Document> parse(std::string_view text, const ParseLimits& limits = {});

}  // namespace writ::json

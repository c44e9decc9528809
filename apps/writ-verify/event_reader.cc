#include <simdjson.h>

#include "events.h"

namespace writ::verify {

namespace sj = simdjson;

struct EventReader::Impl {
    sj::ondemand::parser parser, data_parser;

    // The member of the event's `data` called `name`, to `take`.
    template <class Take>
    void member(const Event& event, std::string_view name, Take take) {
        const std::string_view data = event.data;
        const sj::padded_string_view padded(data.data(), data.size(), event.data_readable);
        sj::ondemand::document document;
        if (data_parser.iterate(padded).get(document) != sj::SUCCESS) return;
        sj::ondemand::value value;
        if (document.find_field_unordered(name).get(value) == sj::SUCCESS) take(value);
    }
};

EventReader::EventReader() : impl_(std::make_unique<Impl>()) {}
EventReader::~EventReader() = default;

namespace {

using Object = sj::ondemand::object;
using Value = sj::ondemand::value;

// Every member of `object` to `take(name, value)`; false when one is malformed.
template <class Take>
bool each(Object& object, Take take) {
    for (auto field : object) {
        std::string_view name;
        Value value;
        if (field.unescaped_key().get(name) != sj::SUCCESS ||
            field.value().get(value) != sj::SUCCESS || !take(name, value))
            return false;
    }
    return true;
}

bool text_of(Value& value, std::string_view& out) {
    return value.get_string().get(out) == sj::SUCCESS;
}

bool number_of(Value& value, std::int64_t& out) {
    return value.get_int64().get(out) == sj::SUCCESS;
}

bool read_causes(Value& value, Event& out) {
    sj::ondemand::array array;
    if (value.get_array().get(array) != sj::SUCCESS) return false;
    for (auto element : array) {
        Object cause;
        if (element.get_object().get(cause) != sj::SUCCESS) return false;
        const bool good = each(cause, [&](std::string_view name, Value& member) {
            std::string_view id;
            if (name != "id") return true;
            if (!text_of(member, id)) return false;
            out.causes.push_back(id);
            return true;
        });
        if (!good) return false;
    }
    return true;
}

bool read_object(Value& value, Event& out, bool emitter) {
    Object object;
    if (value.get_object().get(object) != sj::SUCCESS) return false;
    return each(object, [&](std::string_view name, Value& member) {
        if (emitter && name == "id") return text_of(member, out.emitter);
        if (emitter && name == "boot") return text_of(member, out.boot);
        if (emitter && name == "seq") return number_of(member, out.seq);
        if (name == "uid") return text_of(member, out.chain);
        if (name == "prev") return text_of(member, out.prev);
        if (name == "seq") return number_of(member, out.chain_seq);
        return true;
    });
}

bool read_member(std::string_view name, Value& value, Event& out) {
    if (name == "v") return text_of(value, out.version);
    if (name == "id") return text_of(value, out.id);
    if (name == "type") return text_of(value, out.type);
    if (name == "tenant") return text_of(value, out.tenant);
    if (name == "session") return text_of(value, out.session);
    if (name == "call") return text_of(value, out.call);
    if (name == "attempt") return number_of(value, out.attempt);
    if (name == "emitter") return read_object(value, out, true);
    if (name == "chain") return read_object(value, out, false);
    if (name == "cause") return read_causes(value, out);
    if (name != "data") return true;
    Object object;
    return value.get_object().get(object) == sj::SUCCESS &&
           object.raw_json().get(out.data) == sj::SUCCESS;
}

}  // namespace

std::string_view EventReader::read(std::string_view leaf, std::size_t readable, Event& out) {
    out = Event{};
    const sj::padded_string_view padded(leaf.data(), leaf.size(), readable);
    sj::ondemand::document document;
    Object object;
    if (impl_->parser.iterate(padded).get(document) != sj::SUCCESS ||
        document.get_object().get(object) != sj::SUCCESS)
        return "it is not a JSON object";
    if (!each(object,
              [&](std::string_view name, Value& value) { return read_member(name, value, out); }) ||
        document.current_location().error() != sj::OUT_OF_BOUNDS)
        return "it is malformed";
    if (out.version != "writ.evidence/1") return "it is not a Writ event of version 1";
    if (out.id.empty() || out.type.empty() || out.tenant.empty() || out.emitter.empty() ||
        out.boot.empty() || out.chain.empty() || out.seq < 0 || out.chain_seq < 0)
        return "it lacks a member of the envelope";
    if (!out.data.empty())
        out.data_readable = readable - static_cast<std::size_t>(out.data.data() - leaf.data());
    return {};
}

std::int64_t EventReader::number(const Event& event, std::string_view name) {
    std::int64_t out = -1;
    impl_->member(event, name, [&](Value& value) { (void)value.get_int64().get(out); });
    return out;
}

std::string EventReader::text(const Event& event, std::string_view name) {
    std::string out;
    impl_->member(event, name, [&](Value& value) {
        std::string_view text;
        if (value.get_string().get(text) == sj::SUCCESS) out = text;
    });
    return out;
}

}  // namespace writ::verify

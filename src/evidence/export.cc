#include "evidence/export.h"

#include <fmt/format.h>

#include <fstream>

#include "base/clock.h"
#include "base/decimal.h"
#include "evidence/encode.h"
#include "evidence/files.h"
#include "evidence/summary.h"
#include "evidence/words.h"

namespace writ::evidence {

namespace {

constexpr std::string_view kCursorMagic = "writ-export-cursor/1";

// `stringValue` and its kin.
json::Node otlp_value(const json::Node& value) {
    json::Node out = json::Node::object();
    if (const auto* integer = value.if_i64()) {
        out["intValue"] = fmt::format("{}", *integer);
    } else if (const auto* text = value.if_string()) {
        out["stringValue"] = *text;
    } else {
        out["stringValue"] = value.dump();
    }
    return out;
}

void attribute(json::Node& list, std::string_view key, json::Node value) {
    json::Node entry = json::Node::object();
    entry["key"] = key;
    entry["value"] = otlp_value(value);
    list.push_back(std::move(entry));
}

void attribute_if(json::Node& list, std::string_view key, std::string_view value) {
    if (!value.empty()) attribute(list, key, value);
}

json::Node otlp_attributes(const Leaf& leaf, std::string_view bytes, const ExportPlace& place) {
    json::Node out = json::Node::array();
    attribute(out, "writ.event.id", leaf.id);
    attribute(out, "writ.log.index", place.index);
    attribute(out, "writ.log.leaf", digest_text(leaf_hash(bytes)));
    attribute(out, "writ.chain.uid", leaf.chain);
    attribute(out, "writ.chain.seq", leaf.chain_seq);
    if (leaf.prev) attribute(out, "writ.chain.prev", digest_text(*leaf.prev));
    attribute_if(out, "writ.task.id", leaf.task);
    attribute_if(out, "gen_ai.conversation.id", leaf.session);
    attribute_if(out, "gen_ai.tool.call.id", leaf.call);
    attribute_if(out, "gen_ai.agent.id", agent_of(leaf));
    if (leaf.type.starts_with("call.")) {
        attribute(out, "gen_ai.operation.name", "execute_tool");
        attribute(out, "mcp.method.name", "tools/call");
        attribute_if(out, "gen_ai.tool.name", leaf.text("tool"));
        attribute_if(out, "writ.decision.effect", leaf.text("kind"));
        attribute_if(out, "writ.decision.code", leaf.text("code"));
        attribute_if(out, "writ.resource", leaf.text("resource"));
    }
    if (leaf.type == "call.ended" && leaf.text("status") != "ok") {
        attribute_if(out, "error.type", leaf.text("status"));
    }
    attribute_if(out, "writ.policy_set.digest", leaf.text("policy_set"));
    return out;
}

Result<json::Node> exported(std::string_view bytes, const ExportPlace& place, ExportFormat format) {
    const auto leaf = read_leaf(bytes);
    if (!leaf) return fail(leaf.error());
    switch (format) {
        case ExportFormat::kOcsf:
            return to_ocsf(*leaf, bytes, place);
        case ExportFormat::kCloudEvents:
            return to_cloudevent(*leaf, bytes, place);
        case ExportFormat::kOtlp:
            return to_otlp_record(*leaf, bytes, place);
        case ExportFormat::kJsonl:
            break;
    }
    return to_jsonl(*leaf, bytes, place);
}

// What is no event still goes out, as what it is.
json::Node unreadable(std::string_view bytes, const ExportPlace& place) {
    json::Node out = json::Node::object();
    out["index"] = place.index;
    out["origin"] = place.origin;
    out["leaf"] = digest_text(leaf_hash(bytes));
    out["unreadable_base64"] = to_base64(as_bytes(bytes));
    return out;
}

}  // namespace

Result<ExportFormat> parse_export_format(std::string_view name) {
    if (name == "jsonl") return ExportFormat::kJsonl;
    if (name == "ocsf") return ExportFormat::kOcsf;
    if (name == "cloudevents") return ExportFormat::kCloudEvents;
    if (name == "otlp") return ExportFormat::kOtlp;
    return fail(ErrorCode::kInvalid, fmt::format("unknown format `{}`: write jsonl, ocsf, "
                                                 "cloudevents or otlp",
                                                 name));
}

std::string_view content_type(ExportFormat format) {
    return format == ExportFormat::kOtlp ? "application/json" : "application/x-ndjson";
}

json::Node to_jsonl(const Leaf&, std::string_view bytes, const ExportPlace& place) {
    json::Node out = json::Node::object();
    out["index"] = place.index;
    out["origin"] = place.origin;
    out["leaf"] = digest_text(leaf_hash(bytes));
    out["event"] = json::Node::raw(std::string(bytes));
    return out;
}

json::Node to_cloudevent(const Leaf& leaf, std::string_view bytes, const ExportPlace& place) {
    json::Node out = json::Node::object();
    out["specversion"] = "1.0";
    out["id"] = leaf.id;
    out["source"] = leaf.emitter;
    out["type"] = fmt::format("dev.writ.evidence.{}.v1", leaf.type);
    const auto subject = leaf.session.empty() ? leaf.task : leaf.session;
    if (!subject.empty()) out["subject"] = subject;
    out["time"] = rfc3339(leaf.t_us);
    out["datacontenttype"] = "application/json";
    out["data"] = json::Node::raw(std::string(bytes));
    out["sequence"] = fmt::format("{:020}", place.index);
    out["writorigin"] = place.origin;
    out["writleaf"] = digest_text(leaf_hash(bytes));
    const auto trace = leaf.document->root().find("trace");
    if (trace) {
        const auto trace_id = trace->string("trace_id"), span = trace->string("span_id");
        if (trace_id && span) out["traceparent"] = fmt::format("00-{}-{}-01", *trace_id, *span);
    }
    const auto payloads = leaf.document->root().find("payloads");
    if (payloads && payloads->is_array() && payloads->size() > 0) {
        const auto cid = payloads->elements().front().string("cid");
        if (cid) out["dataref"] = fmt::format("urn:writ:payload:{}", *cid);
    }
    return out;
}

json::Node to_otlp_record(const Leaf& leaf, std::string_view bytes, const ExportPlace& place) {
    json::Node out = json::Node::object();
    const std::string time = fmt::format("{}000", leaf.t_us);
    out["timeUnixNano"] = time;
    out["observedTimeUnixNano"] = time;
    const bool bad = leaf.text("kind") == "forbid" || leaf.type == "evidence.gap" ||
                     leaf.type == "limit.tripped" || leaf.type == "evidence.degraded";
    out["severityNumber"] = bad ? 13 : 9;
    out["severityText"] = bad ? "WARN" : "INFO";
    out["eventName"] = fmt::format("writ.{}", leaf.type);
    out["body"]["stringValue"] = summary(leaf);
    out["attributes"] = otlp_attributes(leaf, bytes, place);
    const auto trace = leaf.document->root().find("trace");
    const auto trace_id = trace ? trace->string("trace_id") : std::nullopt;
    const auto span_id = trace ? trace->string("span_id") : std::nullopt;
    if (trace_id && span_id) {
        out["traceId"] = *trace_id;
        out["spanId"] = *span_id;
    }
    return out;
}

json::Node otlp_request(json::Node records, std::string_view origin) {
    json::Node scope = json::Node::object();
    scope["scope"]["name"] = "writ.evidence";
    scope["scope"]["version"] = "1";
    scope["schemaUrl"] = "https://opentelemetry.io/schemas/1.41.0";
    scope["logRecords"] = std::move(records);
    json::Node resource = json::Node::object();
    resource["resource"]["attributes"] = json::Node::array();
    attribute(resource["resource"]["attributes"], "service.name", "writ");
    attribute(resource["resource"]["attributes"], "writ.log.origin", origin);
    resource["scopeLogs"] = json::Node::array();
    resource["scopeLogs"].push_back(std::move(scope));
    json::Node out = json::Node::object();
    out["resourceLogs"] = json::Node::array();
    out["resourceLogs"].push_back(std::move(resource));
    return out;
}

Result<ExportCursor> ExportCursor::load(const std::filesystem::path& file,
                                        std::string_view origin) {
    std::ifstream in(file);
    if (!in && !std::filesystem::exists(file)) return ExportCursor{std::string(origin), 0, {}};
    std::string magic, next;
    ExportCursor out;
    if (!std::getline(in, magic) || !std::getline(in, out.origin) || !std::getline(in, next) ||
        !std::getline(in, out.leaf) || magic != kCursorMagic) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("`{}` is not an export's cursor", file.string()));
    }
    const auto index = from_decimal<std::uint64_t>(next);
    if (!index) return fail(ErrorCode::kCorrupt, fmt::format("`{}` is damaged", file.string()));
    out.next = *index;
    return out;
}

Status ExportCursor::save(const std::filesystem::path& file) const {
    const std::string text = fmt::format("{}\n{}\n{}\n{}\n", kCursorMagic, origin, next, leaf);
    return replace_file(file, as_bytes(text));
}

Status ExportCursor::check(const LeafSource& source) const {
    if (origin != source.origin) {
        return fail(ErrorCode::kCorrupt, fmt::format("the cursor is of the log `{}`, this is `{}`",
                                                     origin, source.origin));
    }
    if (next == 0) return {};
    const auto last = next <= source.size ? source.entry(next - 1) : Result<std::string>("");
    if (!last) return fail(last.error());
    if (next > source.size || digest_text(leaf_hash(*last)) != leaf) {
        return fail(ErrorCode::kCorrupt,
                    fmt::format("the log is not the one that was exported up to entry {}: it was "
                                "cut or replaced",
                                next));
    }
    return {};
}

Result<ExportBatch> next_batch(const LeafSource& source, const ExportCursor& cursor,
                               ExportFormat format, std::size_t events_max) {
    ExportBatch batch;
    batch.first = cursor.next;
    batch.after = cursor;
    json::Node records = json::Node::array();
    std::size_t bytes_so_far = 0;
    const auto read = source.entries(cursor.next, [&](std::uint64_t index, std::string_view leaf) {
        const ExportPlace place{source.origin, index};
        auto node = exported(leaf, place, format);
        const bool otlp = format == ExportFormat::kOtlp;
        if (!node && otlp) {
            json::Node record = json::Node::object();
            record["eventName"] = "writ.unreadable";
            record["body"]["stringValue"] = unreadable(leaf, place).dump();
            node = std::move(record);
        } else if (!node) {
            node = unreadable(leaf, place);
        }
        if (otlp) {
            records.push_back(std::move(*node));
        } else {
            batch.body += node->dump() + "\n";
        }
        bytes_so_far += leaf.size();
        ++batch.events;
        batch.after.next = index + 1;
        batch.after.leaf = digest_text(leaf_hash(leaf));
        return batch.events < events_max && bytes_so_far < kExportBatchBytes;
    });
    if (!read) return fail(read.error());
    if (format == ExportFormat::kOtlp && batch.events > 0) {
        batch.body = otlp_request(std::move(records), source.origin).dump() + "\n";
    }
    return batch;
}

}  // namespace writ::evidence

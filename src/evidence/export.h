// Events in other people's formats, for SIEMs and observability: each line or batch keeps the
// event's place, leaf hash and chain, so that what was exported can be held against the log again.
//
//   jsonl        {"index","leaf","origin","event": the leaf as it is}
//   ocsf         OCSF 1.8.0 (docs/spec/evidence/export.md has the classes)
//   cloudevents  CloudEvents 1.0, structured JSON
//   otlp         OTLP/HTTP JSON, one ExportLogsServiceRequest a batch; names of GenAI and MCP as of
//                semantic conventions 1.41
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evidence/leaf.h"
#include "evidence/source.h"
#include "json/node.h"

namespace writ::evidence {

enum class ExportFormat : std::uint8_t { kJsonl, kOcsf, kCloudEvents, kOtlp };
// Errors: kInvalid.
Result<ExportFormat> parse_export_format(std::string_view name);
std::string_view content_type(ExportFormat format);

struct ExportPlace {
    std::string_view origin;
    std::uint64_t index = 0;
};

json::Node to_jsonl(const Leaf& leaf, std::string_view bytes, const ExportPlace& place);
json::Node to_ocsf(const Leaf& leaf, std::string_view bytes, const ExportPlace& place);
json::Node to_cloudevent(const Leaf& leaf, std::string_view bytes, const ExportPlace& place);
// One log record of OTLP.
json::Node to_otlp_record(const Leaf& leaf, std::string_view bytes, const ExportPlace& place);
// The whole request around records.
json::Node otlp_request(json::Node records, std::string_view origin);

// Where an export stands: the next entry, and the leaf hash of the one before, so that a log that
// was replaced is noticed and not exported as if it went on.
struct ExportCursor {
    std::string origin;
    std::uint64_t next = 0;
    std::string leaf;  // of entry next - 1; empty at 0

    // A file that is not there is the log's beginning. Errors: kCorrupt, kIo.
    static Result<ExportCursor> load(const std::filesystem::path& file, std::string_view origin);
    // Atomic and durable. Errors: kIo.
    Status save(const std::filesystem::path& file) const;
    // Errors: kCorrupt (another log, or not the one that was exported).
    Status check(const LeafSource& source) const;
};

// One delivery: events in their format.
struct ExportBatch {
    std::string body;
    std::uint64_t first = 0, events = 0;
    ExportCursor after;  // to be saved once `body` is delivered
};
inline constexpr std::size_t kExportBatchEvents = 512;
inline constexpr std::size_t kExportBatchBytes = 1 << 20;

// The next batch from `cursor`, with no events where the log has none yet. An entry that is no
// event goes out as a jsonl line of its bytes, never left out. Errors: those of the log.
Result<ExportBatch> next_batch(const LeafSource& source, const ExportCursor& cursor,
                               ExportFormat format, std::size_t events_max = kExportBatchEvents);

}  // namespace writ::evidence

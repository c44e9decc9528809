// `writ evidence export`: events in other people's formats, from a cursor that resumes.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "cli/evidence_log.h"
#include "evidence/export.h"
#include "evidence/trail.h"

namespace writ::cli::evidence_verbs {

namespace {

struct Options {
    Where where;
    std::string format = "jsonl", cursor, id;
    std::uint64_t from = 0, limit = 0;
};

// What was written must be out before the cursor says so.
Status put(const evidence::ExportBatch& batch) {
    const bool ok =
        std::fwrite(batch.body.data(), 1, batch.body.size(), stdout) == batch.body.size() &&
        std::fflush(stdout) == 0;
    if (!ok) return fail(io_error("cannot write", errno));
    return {};
}

int run(const Context& context, const Options& options) {
    const auto format = evidence::parse_export_format(options.format);
    if (!format) return report(context, format.error());
    const auto opened = open_log(context, options.where, Need::kLog);
    if (!opened) return report(context, opened.error());
    const auto source = evidence::source_of((*opened)->log);
    evidence::ExportCursor cursor{source.origin, options.from, {}};
    if (!options.cursor.empty()) {
        auto loaded = evidence::ExportCursor::load(options.cursor, source.origin);
        if (!loaded) return report(context, loaded.error());
        if (auto same = loaded->check(source); !same) {
            const int code = report(context, same.error());
            return same.error().code == ErrorCode::kCorrupt ? kFound : code;
        }
        cursor = std::move(*loaded);
    }
    std::uint64_t done = 0;
    while (options.limit == 0 || done < options.limit) {
        const std::uint64_t left =
            options.limit == 0 ? evidence::kExportBatchEvents : options.limit - done;
        const auto batch = evidence::next_batch(
            source, cursor, *format,
            static_cast<std::size_t>(std::min<std::uint64_t>(left, evidence::kExportBatchEvents)));
        if (!batch) return report(context, batch.error());
        if (batch->events == 0) break;
        if (auto written = put(*batch); !written) return report(context, written.error());
        cursor = batch->after;
        done += batch->events;
        if (options.cursor.empty()) continue;
        if (auto saved = cursor.save(options.cursor); !saved) {
            return report(context, saved.error());
        }
    }
    return kDone;
}

}  // namespace

void add_export(Command app, Context& context) {
    auto options = std::make_shared<Options>();
    Command verb = app.add_subcommand("export", "Events as OCSF, OTLP, CloudEvents or JSON lines");
    verb.add_option("--format", options->format, "jsonl, ocsf, otlp or cloudevents")
        .one_of({"jsonl", "ocsf", "otlp", "cloudevents"});
    const Option cursor = verb.add_option(
        "--cursor", options->cursor,
        "file that remembers how far the last run came; the next goes on from there");
    verb.add_option("--from", options->from, "first entry, without a cursor").excludes(cursor);
    verb.add_option("-n,--limit", options->limit, "how many events (default: all)");
    add_where(verb, std::shared_ptr<Where>(options, &options->where), false);
    verb.footer(
        "Exit code 4: the log is not the one that the cursor was written for.\n"
        "Example: writ evidence export --format ocsf --cursor siem.cursor >> events.ndjson");
    verb.callback([&context, options] { return run(context, *options); });
}

}  // namespace writ::cli::evidence_verbs

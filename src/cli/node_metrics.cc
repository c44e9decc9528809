// The page behind `/metrics` (docs/guide/metrics.md). What rooms count is added up here; everything
// else is read where it is known already, when somebody asks.
#include "cli/node_parts.h"
#include "cli/process_metrics.h"

namespace writ::cli {
namespace {

using metrics::Page;
using metrics::Type;

void write_calls(Page& page, const gate::Totals& totals, std::size_t open) {
    page.family("writ_calls_decided", Type::kCounter,
                "Verdicts on calls, by the code that evidence gives too.");
    for (std::size_t i = 0; i < totals.decided.size(); ++i) {
        const std::string_view code = gate::kCountedCodes[i];
        page.sample({{"verdict", gate::verdict_of(code)}, {"code", code}}, totals.decided[i]);
    }
    page.family("writ_calls_refused", Type::kCounter,
                "Calls that were refused, by how the caller is told.");
    for (std::size_t i = 0; i < totals.refused.size(); ++i)
        page.sample({{"kind", gate::name(static_cast<gate::RefusalKind>(i))}}, totals.refused[i]);
    page.family("writ_calls_ended", Type::kCounter, "Permitted calls that are over, by their end.");
    for (std::size_t i = 0; i < totals.ended.size(); ++i)
        page.sample({{"status", gate::name(static_cast<gate::Status_>(i))}}, totals.ended[i]);
    page.family("writ_calls_open", Type::kGauge, "Permitted calls that are not over.");
    page.sample({}, open);
    page.family("writ_call_decision_seconds", Type::kHistogram,
                "From a call's arrival at the gate to its verdict.");
    page.sample({}, totals.decision);
    page.family("writ_call_duration_seconds", Type::kHistogram,
                "From a permitted call's arrival at the gate to its end.");
    page.sample({}, totals.duration);
}

std::string_view name(ledger::CheckState state) {
    switch (state) {
        case ledger::CheckState::kRunning:
            return "running";
        case ledger::CheckState::kGood:
            return "good";
        case ledger::CheckState::kBad:
            return "bad";
    }
    return {};
}

void write_witnesses(Page& page, const ledger::Health& health) {
    page.family("writ_ledger_witnessed_size", Type::kGauge,
                "Entries under the newest checkpoint that the quorum has cosigned.");
    page.sample({}, health.witnessed);
    page.family("writ_ledger_quorum", Type::kGauge,
                "0 while the witnesses' quorum is missing for longer than its grace.");
    page.sample({}, health.quorum);
    page.family("writ_witness_size", Type::kGauge,
                "Entries under the last checkpoint that a witness has cosigned in this run.");
    for (const auto& witness : health.witnesses)
        page.sample({{"witness", witness.name}}, witness.size);
    page.family("writ_witness_up", Type::kGauge, "0 if a witness' last answer was no cosignature.");
    for (const auto& witness : health.witnesses)
        page.sample({{"witness", witness.name}}, witness.trouble.empty());
}

void write_ledger(Page& page, const ledger::Ledger& ledger) {
    const ledger::Health health = ledger.health();
    page.family("writ_ledger_writable", Type::kGauge,
                "0 while nothing can be recorded, and so nothing is permitted.");
    page.sample({}, health.writable);
    page.family("writ_ledger_reserve_writable", Type::kGauge,
                "0 if not even a revocation could be recorded in the space kept for it.");
    page.sample({}, health.kept);
    page.family("writ_ledger_degraded", Type::kGauge,
                "1 while something is wrong with the log, writable or not.");
    page.sample({}, !health.reason.empty());
    page.family("writ_ledger_durable_size", Type::kGauge, "Entries of the log that are durable.");
    page.sample({}, health.durable);
    page.family("writ_ledger_published_size", Type::kGauge,
                "Entries under the newest checkpoint that readers get.");
    page.sample({}, health.published);
    page.family("writ_ledger_minimum_index", Type::kGauge, "Entries below it are pruned.");
    page.sample({}, health.minimum_index);
    page.family("writ_ledger_mirrored_size", Type::kGauge, "Entries in the second copy.");
    page.sample({}, health.mirrored);
    page.family("writ_ledger_mirror_up", Type::kGauge, "0 while the second copy cannot be made.");
    page.sample({}, health.mirror_trouble.empty());
    page.family("writ_ledger_tampered", Type::kGauge,
                "Changes under the log that were found and made good in this run, at most 16.");
    page.sample({}, health.tampered.size());
    page.family("writ_ledger_check", Type::kGauge,
                "The check of the whole log after a start: 1 at the state it is in.");
    using ledger::CheckState;
    for (const auto state : {CheckState::kRunning, CheckState::kGood, CheckState::kBad})
        page.sample({{"state", name(state)}}, health.check == state);
    page.family("writ_ledger_checked_size", Type::kGauge, "Entries that this check has seen.");
    page.sample({}, health.checked);
    write_witnesses(page, health);
    const ledger::Meters* meters = ledger.meters();
    if (meters == nullptr) return;
    page.family("writ_ledger_entries", Type::kCounter, "Entries made durable.");
    page.sample({}, meters->entries.value());
    page.family("writ_ledger_entry_bytes", Type::kCounter, "Their bytes.");
    page.sample({}, meters->bytes.value());
    page.family("writ_ledger_refused", Type::kCounter, "Entries not taken or not written.");
    page.sample({}, meters->refused.value());
    page.family("writ_ledger_commit_seconds", Type::kHistogram,
                "Writing and syncing one batch of entries.");
    page.sample({}, meters->commit.read());
}

void write_exports(Page& page, const std::vector<evidence::ExporterState>& exports) {
    page.family("writ_export_backlog", Type::kGauge, "Published entries not delivered yet.");
    for (const auto& each : exports) page.sample({{"export", each.name}}, each.behind);
    page.family("writ_export_delivered", Type::kCounter, "Events delivered.");
    for (const auto& each : exports) page.sample({{"export", each.name}}, each.delivered);
    page.family("writ_export_failures", Type::kCounter, "Attempts that failed.");
    for (const auto& each : exports) page.sample({{"export", each.name}}, each.failures);
}

void write_servers(Page& page, const std::vector<mcp::ServerHealth>& servers) {
    using mcp::ServerState;
    page.family("writ_server_state", Type::kGauge, "1 at the state a tool server is in.");
    for (const auto& server : servers)
        for (const auto state :
             {ServerState::kStarting, ServerState::kUp, ServerState::kBackoff, ServerState::kDown})
            page.sample({{"server", server.server}, {"state", mcp::name(state)}},
                        server.state == state);
    page.family("writ_server_restarts", Type::kCounter,
                "Starts after a failure or an unasked end.");
    for (const auto& server : servers) page.sample({{"server", server.server}}, server.restarts);
    page.family("writ_server_instances", Type::kGauge, "Running instances.");
    for (const auto& server : servers) page.sample({{"server", server.server}}, server.instances);
    page.family("writ_server_calls_in_flight", Type::kGauge, "Calls on their way, all instances.");
    for (const auto& server : servers) page.sample({{"server", server.server}}, server.in_flight);
}

}  // namespace

net::Task<std::string> Node::Impl::metrics_page(metrics::Format format) {
    auto counting = gate->survival()->open_calls();
    const std::size_t open = co_await std::move(counting);
    auto asking = upstreams->health();
    const std::vector<mcp::ServerHealth> servers = co_await std::move(asking);
    auto look = [data = config.data] { return read_process(data); };
    auto looking = reactors.front()->offload(std::move(look));
    const ProcessReading process = co_await std::move(looking);

    Page page(format);
    page.family("writ_build_info", Type::kGauge, "Always 1.");
    page.sample({{"version", "0.1.0"}}, 1);
    write_calls(page, gate->totals(), open);
    std::size_t tasks = 0;
    for (const auto& task : directory->tasks()) tasks += task->live(clock.boot_us()) ? 1 : 0;
    page.family("writ_tasks_live", Type::kGauge, "Tasks that are live.");
    page.sample({}, tasks);
    page.family("writ_sessions_live", Type::kGauge, "Sessions that are live.");
    page.sample({}, directory->live_sessions());
    write_ledger(page, *ledger);
    const auto vault_backlog = vault->backlog();
    page.family("writ_vault_backlog", Type::kGauge, "Payloads that the disk does not have yet.");
    page.sample({}, vault_backlog.blobs);
    page.family("writ_vault_backlog_bytes", Type::kGauge, "Bytes of those that wait.");
    page.sample({}, vault_backlog.bytes);
    page.family("writ_vault_writable", Type::kGauge, "0 if the last attempt to write failed.");
    page.sample({}, !vault_backlog.failing);
    std::vector<evidence::ExporterState> exports;
    exports.reserve(exporters.size());
    for (const auto& exporter : exporters) exports.push_back(exporter->state());
    write_exports(page, exports);
    write_servers(page, servers);
    write_process(page, process);
    co_return std::move(page).take();
}

}  // namespace writ::cli

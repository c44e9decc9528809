// The continuous exporter: a thread that reads the published log and delivers what is new to a file
// or over HTTP, at its own pace. It never touches the gateway's path: a receiver that is slow or
// gone makes the export late, nothing else. Delivered at least once: the cursor moves after the
// receiver has taken a batch, so the batch before a crash may come twice (the index tells).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "evidence/export.h"

namespace writ::evidence {

// One `[[export]]` of the configuration.
struct ExportSpec {
    std::string name;
    ExportFormat format = ExportFormat::kJsonl;
    std::string to;  // `file:/path`, `http://127.0.0.1:port/path` or `https://host/path`
    // What goes out as `Authorization: Bearer …`: the first line of a file, read each time, or an
    // environment variable of the gateway. At most one of them.
    std::string token_file = {}, bearer_env = {};
    std::string ca_file = {};  // https: PEM certificates trusted instead of the system's
    bool operator==(const ExportSpec&) const = default;
};
// Errors: kInvalid saying what is wrong with it.
Status check_export(const ExportSpec& spec);

struct ExporterState {
    std::uint64_t next = 0;                     // entry that goes out next
    std::uint64_t behind = 0;                   // published entries not delivered yet
    std::uint64_t retries = 0;                  // since the last delivery
    std::string error;                          // of the last attempt, empty if it worked
    std::string name, to;                       // of the spec; no credential is in them
    std::uint64_t delivered = 0, failures = 0;  // events and attempts since the start
    std::int64_t delivered_us = 0;              // when the newest went out; 0: not yet
};

class Exporter {
  public:
    // `log_dir`: the published log; `cursor`: this export's file. Starts the thread.
    static Result<std::unique_ptr<Exporter>> start(ExportSpec spec, std::filesystem::path log_dir,
                                                   std::string vkey, std::filesystem::path cursor);
    virtual ~Exporter() = default;  // stops after the attempt that runs, at most kExportTimeout
    virtual ExporterState state() const = 0;
};

}  // namespace writ::evidence

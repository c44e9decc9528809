#include "cli/readers.h"

#include <charconv>
#include <fstream>
#include <iterator>

#include "base/inert.h"
#include "base/log.h"
#include "cli/http_source.h"
#include "crypto/hash.h"
#include "ledger/policy.h"
#include "ledger/replica.h"
#include "ledger/tile.h"

namespace writ::cli {
namespace {

constexpr std::size_t kMaxNoteBytes = 128 << 10;
constexpr std::size_t kMaxBundleBytes = 256 * (2 + 65'535);
// A tile never changes; a checkpoint is a second old at most.
constexpr const char* kForever = "public, max-age=31536000, immutable";
constexpr const char* kBriefly = "public, max-age=1, must-revalidate";

struct Served {
    net::Reactor& reactor;
    std::string prefix;
    std::filesystem::path log_dir;
    MetricsPage page;
};

net::HttpResponse plain(int status, std::string text) {
    net::HttpResponse out;
    out.status = status;
    out.headers.add("Content-Type", "text/plain; charset=utf-8");
    out.headers.add("Cache-Control", "no-store");
    out.body = std::move(text) + "\n";
    return out;
}

std::uint64_t minimum_index(ledger::FolderSource& source) {
    constexpr std::size_t kMaxBytes = 32;
    const auto text = source.get("minimum-index", kMaxBytes);
    std::uint64_t out = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), out);
    return out;
}

// Blocks on the disk.
net::HttpResponse read_served(const std::filesystem::path& log_dir, const std::string& name) {
    ledger::FolderSource source(log_dir);
    const auto tile = ledger::parse_tile_path(name);
    const bool note = name == "checkpoint" || name == "log.vkey";
    if (name == "minimum-index") {
        auto out = plain(200, std::to_string(minimum_index(source)));
        return out;
    }
    if (!tile && !note) return plain(404, "not found");
    if (tile && tile->entries) {
        const std::uint64_t minimum = minimum_index(source);
        if (tile->end_index() <= minimum)
            return plain(410, "pruned: entries below " + std::to_string(minimum) + " are gone");
    }
    auto bytes = source.get(name, note ? kMaxNoteBytes : kMaxBundleBytes);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) return plain(404, "not found");
    if (!bytes) return plain(503, "cannot be read now");
    net::HttpResponse out;
    out.headers.add("Content-Type",
                    note ? "text/plain; charset=utf-8" : "application/octet-stream");
    out.headers.add("Cache-Control", note ? kBriefly : kForever);
    out.headers.add("X-Content-Type-Options", "nosniff");
    out.headers.add("Access-Control-Allow-Origin", "*");
    out.body = std::move(*bytes);
    return out;
}

net::Task<void> serve(std::shared_ptr<const Served> served, net::HttpRequest request,
                      net::Responder* responder) {
    net::HttpResponse response = plain(404, "not found");
    if (request.method != "GET") {
        response = plain(405, "only GET");
        response.headers.add("Allow", "GET");
    } else if (request.target == "/metrics" && served->page) {
        const auto format = metrics::wanted(request.headers.get("Accept").value_or(""));
        auto making = served->page(format);
        response.status = 200;
        response.body = co_await std::move(making);
        response.headers = {};
        response.headers.add("Content-Type", std::string(metrics::content_type(format)));
        response.headers.add("Cache-Control", "no-store");
        response.headers.add("Vary", "Accept");
        response.headers.add("X-Content-Type-Options", "nosniff");
    } else if (request.target.starts_with(served->prefix + "/")) {
        std::string name = request.target.substr(served->prefix.size() + 1);
        const std::filesystem::path dir = served->log_dir;
        auto read = [dir, name = std::move(name)] { return read_served(dir, name); };
        response = co_await served->reactor.offload(std::move(read));
    }
    (void)co_await responder->send(std::move(response));
}

}  // namespace

net::HttpHandler readers_handler(net::Reactor& reactor, std::string prefix,
                                 std::filesystem::path log_dir, MetricsPage page) {
    auto served = std::make_shared<const Served>(
        Served{reactor, std::move(prefix), std::move(log_dir), std::move(page)});
    return [served](net::HttpRequest request, net::Responder& responder) {
        return serve(served, std::move(request), &responder);
    };
}

Result<std::unique_ptr<net::HttpServer>> start_readers(const Config& config, net::Reactor& reactor,
                                                       MetricsPage page) {
    if (config.readers_listen.empty()) return std::unique_ptr<net::HttpServer>();
    const auto endpoint = net::Endpoint::parse(config.readers_listen);
    if (!endpoint) return fail(endpoint.error().in("[listen] readers"));
    auto listener = net::Listener::bind(*endpoint);
    if (!listener) return fail(listener.error());
    log::info("readers", "the log is at http://{}/log/{}/{}/", listener->endpoint().text(),
              config.tenant, config.node);
    if (config.metrics)
        log::info("readers", "metrics are at http://{}/metrics", listener->endpoint().text());
    else
        page = {};
    const std::string prefix = "/log/" + config.tenant + "/" + config.node;
    net::HttpServerOptions options;
    options.body_bytes_max = 0;
    options.connections_max = 256;
    return std::make_unique<net::HttpServer>(
        reactor, std::move(*listener),
        readers_handler(reactor, prefix, config.log_dir(), std::move(page)), options);
}

Result<ledger::Options> log_options(const Config& config) {
    ledger::Options out;
    out.appenders_gather = true;  // the reactors
    out.dir = config.data;
    out.tenant = config.tenant;
    out.node = config.node;
    out.origin = config.origin();
    out.heartbeat_s = config.log.heartbeat_s;
    out.mirror = config.log.mirror;
    out.keep_entries = config.log.keep_entries;
    // Beside the sockets: the folder is ours alone, and on tmpfs where it is /run or the session's.
    const std::string which =
        std::filesystem::absolute(config.data).string() + '\0' + config.tenant + '\0' + config.node;
    out.accepted = config.operators_socket.parent_path() /
                   ("accepted-" + to_hex(ByteView(crypto::sha256(as_bytes(which))).first(8)));
    if (config.log.policy.empty()) return out;
    const std::string file = config.log.policy.string();
    std::ifstream in(file, std::ios::binary);
    if (!in)
        return fail(ErrorCode::kNotFound,
                    "no policy `" + file + "`: [log] policy names a c2sp.org/tlog-policy file");
    const std::string text(std::istreambuf_iterator<char>(in), {});
    auto policy = ledger::TrustPolicy::parse(text, file);
    if (!policy) return fail(policy.error());
    for (const auto& witness : policy->witnesses()) {
        if (witness.url.empty()) continue;
        if (const auto url = parse_prefix(witness.url); !url)
            return fail(url.error().in(file + ": witness `" + inert(witness.name, 100) + "`"));
    }
    ledger::Witnessing witnessing;
    witnessing.policy = std::make_shared<const ledger::TrustPolicy>(std::move(*policy));
    witnessing.client = http_witness_client(config.log.witness_ca_file.string());
    witnessing.on_missing = config.log.on_missing_quorum;
    witnessing.every_ms = config.log.witness_every_s * 1'000;
    witnessing.grace_ms = config.log.quorum_grace_s * 1'000;
    out.witnessing = std::move(witnessing);
    return out;
}

}  // namespace writ::cli

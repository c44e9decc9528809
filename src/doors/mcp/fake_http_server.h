// A tool server over streamable HTTP for tests, on the test's own reactor, that behaves in one
// chosen way, most of them bad. It remembers what it received, so that a test can prove what did
// not arrive.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "net/http.h"
#include "net/http_pool.h"
#include "net/reactor.h"

namespace writ::mcp::testing_peer {

class FakeHttpServer {
  public:
    FakeHttpServer(net::Reactor& reactor, std::string mode)
        : mode(std::move(mode)),
          reactor_(reactor),
          listener_(*net::Listener::bind(*net::Endpoint::parse("127.0.0.1:0"))),
          url("http://" + listener_.endpoint().text() + "/mcp"),
          server_(reactor, std::move(listener_), [this](net::HttpRequest r, net::Responder& to) {
              return serve(this, std::move(r), to);
          }) {}

    std::size_t count(std::string_view part) const {
        std::size_t n = 0;
        for (const auto& each : received)
            if (each.find(part) != std::string::npos) ++n;
        return n;
    }

    std::string mode;
    std::vector<std::string> received;  // `METHOD fields body` each
    int sessions = 0, calls = 0;
    int streams = 0;  // GET streams open now, in mode `listens`; ever, in mode `junk`
    bool stream_open = false;
    std::deque<int> refusals;  // of the next GET streams; 410 is sent as 404 and ends the session
    std::string primed;        // the answer that waits for its stream to be taken up
    bool hang_up = false;      // on the next GET stream
    net::Millis start_delay{0};
    bool let_go = false;   // the calls of mode `waits`
    bool forgets = false;  // every session at once: all but `initialize` is answered by 404

  private:
    net::Reactor& reactor_;
    net::Listener listener_;

  public:
    std::string url;
    std::size_t connections() const { return server_.connections(); }
    // Connections are refused from now on; what is under way goes on.
    void refuse() { server_.close(); }

  private:
    static std::string between(const std::string& text, const std::string& start,
                               const std::string& stops) {
        const auto at = text.find(start);
        if (at == std::string::npos) return {};
        const auto from = at + start.size();
        return text.substr(from, text.find_first_of(stops, from) - from);
    }
    static std::string answer(const std::string& id, const std::string& result) {
        return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}";
    }
    static std::string text(const std::string& words) {
        return R"({"content":[{"type":"text","text":")" + words + R"("}]})";
    }
    static std::string event(const std::string& data) { return "data: " + data + "\n\n"; }
    static net::HttpResponse plain(int status) {
        net::HttpResponse out;
        out.status = status;
        return out;
    }
    static net::Task<void> say(net::Responder* to, std::string bytes) {
        (void)co_await to->chunk(std::move(bytes));
    }
    static net::Task<void> open(net::Responder* to) {
        net::Headers fields;
        fields.add("Content-Type", "text/event-stream");
        (void)co_await to->begin(200, std::move(fields));
    }

    static net::Task<void> serve(FakeHttpServer* self, net::HttpRequest request,
                                 net::Responder& responder) {
        net::Responder* const to = &responder;
        std::string seen = request.method;
        for (const auto [name, value] : request.headers)
            seen.append(" ").append(name).append("=").append(value);
        self->received.push_back(seen + " " + request.body);
        const std::string method = between(request.body, R"("method":")", "\"");
        const std::string id = between(request.body, R"("id":)", ",}");
        if (self->forgets && method != "initialize") co_return co_await done(to, plain(404));
        if (request.method == "GET") co_return co_await get(self, std::move(request), to);
        if (request.method == "DELETE") co_return co_await done(to, plain(200));
        if (method == "initialize") co_return co_await initialize(self, id, to);
        const auto session = request.headers.get("mcp-session-id");
        const bool known = self->mode == "sessions" || self->mode == "listens"
                               ? session && session->starts_with('s')
                               : session == "s" + std::to_string(self->sessions);
        if (!known) co_return co_await done(to, plain(session ? 404 : 400));
        if (method == "ping")
            co_return co_await done(to, net::HttpResponse::json(200, answer(id, "{}")));
        if (method == "tools/list") {
            const std::string tools = R"({"tools":[{"name":"a","inputSchema":{"type":"object"}}]})";
            co_return co_await done(to, net::HttpResponse::json(200, answer(id, tools)));
        }
        if (method == "tools/call") {
            std::string body = request.body;
            co_return co_await call(self, id, std::move(body), to);
        }
        co_await done(to, plain(202));
    }
    static net::Task<void> done(net::Responder* to, net::HttpResponse response) {
        (void)co_await to->send(std::move(response));
    }
    static net::Task<void> initialize(FakeHttpServer* self, std::string id, net::Responder* to) {
        if (self->start_delay.count() > 0) co_await self->reactor_.sleep(self->start_delay);
        if (self->mode == "down") co_return co_await done(to, plain(503));
        if (self->mode == "noauth") co_return co_await done(to, plain(401));
        const bool old = self->mode == "old" || self->mode.starts_with("batch");
        const std::string version = old ? "2025-03-26" : "2025-11-25";
        auto response = net::HttpResponse::json(
            200, answer(id, R"({"protocolVersion":")" + version +
                                R"(","capabilities":{"tools":{"listChanged":true}},)"
                                R"("serverInfo":{"name":"f","version":"1"}})"));
        const std::string session = "s" + std::to_string(++self->sessions);
        if (self->mode == "primed") {
            self->primed = response.body;
            net::Headers fields;
            fields.add("Content-Type", "text/event-stream");
            fields.add("Mcp-Session-Id", session);
            (void)co_await to->begin(200, std::move(fields));
            co_await say(to, "id: i1\nretry: 5\ndata:\n\n");
            (void)co_await to->end();
            co_return;
        }
        response.headers.add("Mcp-Session-Id", self->mode == "badsession" ? "a b" : session);
        co_await done(to, std::move(response));
    }
    // The stream of no call, or one that is taken up again.
    static net::Task<void> get(FakeHttpServer* self, net::HttpRequest request, net::Responder* to) {
        const auto last = request.headers.get("last-event-id");
        if (last && self->mode == "primed") {
            if (request.headers.get("mcp-session-id") != "s1")
                co_return co_await done(to, plain(400));
            co_await open(to);
            co_await say(to, event(self->primed));
            (void)co_await to->end();
            co_return;
        }
        if (last && self->mode == "resume") {
            co_await open(to);
            if (*last == "e1") {
                co_await say(to, "id: e2\nretry: 5\ndata:\n\n");
            } else {
                co_await say(to, event(answer("2", text("resumed"))));
            }
            (void)co_await to->end();
            co_return;
        }
        if (!self->refusals.empty()) {
            int status = self->refusals.front();
            self->refusals.pop_front();
            if (status == 410) {
                ++self->sessions;
                status = 404;
            }
            co_return co_await done(to, plain(status));
        }
        if (self->mode == "junk") {
            co_await open(to);
            ++self->streams;
            for (bool questions = self->streams % 2 == 0; !to->peer_gone();) {
                std::string junk;
                while (junk.size() < 4'096)
                    junk += event(questions ? R"({"jsonrpc":"2.0","id":"q","method":"roots/list"})"
                                            : "not json");
                if (!co_await to->chunk(std::move(junk))) break;
                co_await self->reactor_.sleep(net::Millis(1));
            }
            co_return;
        }
        if (self->mode != "changes" && self->mode != "listens")
            co_return co_await done(to, plain(405));
        co_await open(to);
        if (self->mode == "listens") {
            ++self->streams;
            if (std::exchange(self->hang_up, false)) {
                --self->streams;
                co_await say(to, ": bye\n\n");
                co_return;
            }
            while (!to->peer_gone()) co_await self->reactor_.sleep(net::Millis(5));
            --self->streams;
            co_return;
        }
        co_await say(to, event(R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"));
        co_await say(to, event(R"({"jsonrpc":"2.0","id":"q","method":"roots/list"})"));
        self->stream_open = true;
        while (!to->peer_gone()) co_await self->reactor_.sleep(net::Millis(5));
        self->stream_open = false;
    }

    static net::Task<void> call(FakeHttpServer* self, std::string id, std::string body,
                                net::Responder* to) {
        const std::string& mode = self->mode;
        ++self->calls;
        if (mode == "forget" && self->calls == 1) {  // the session is gone
            ++self->sessions;
            co_return co_await done(to, plain(404));
        }
        if (mode == "forget400" && self->calls == 1) {  // as many servers say it
            ++self->sessions;
            co_return co_await done(
                to,
                net::HttpResponse::json(
                    400, R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"x"},"id":null})"));
        }
        if (mode == "amnesia") {  // every time
            ++self->sessions;
            co_return co_await done(to, plain(404));
        }
        static const std::map<std::string, int> kStatus = {
            {"accepted", 202}, {"teapot", 418}, {"broken", 500}, {"empty", 204}};
        if (const auto it = kStatus.find(mode); it != kStatus.end())
            co_return co_await done(to, plain(it->second));
        if (mode == "redirect") {
            auto response = plain(307);
            response.headers.add("Location", "http://127.0.0.1:1/mcp");
            co_return co_await done(to, std::move(response));
        }
        if (mode == "html") {
            auto response = net::HttpResponse::json(200, "<html></html>");
            net::HttpResponse page;
            page.headers.add("Content-Type", "text/html");
            page.body = response.body;
            co_return co_await done(to, std::move(page));
        }
        if (mode == "rpcerror")
            co_return co_await done(
                to, net::HttpResponse::json(400, R"({"jsonrpc":"2.0","id":)" + id +
                                                     R"(,"error":{"code":-32000,"message":"x"}})"));
        if (mode == "batch" || mode == "newbatch")
            co_return co_await done(
                to, net::HttpResponse::json(200, " [" + answer("77", text("forged")) + "," +
                                                     answer(id, text("batched")) + "]"));
        if (mode == "batchcrowd") {
            std::string crowd = "[" + answer(id, text("batched"));
            for (std::size_t i = 0; i < 256; ++i) crowd += ",1";
            co_return co_await done(to, net::HttpResponse::json(200, crowd + "]"));
        }
        if (mode == "garbage")
            co_return co_await done(to, net::HttpResponse::json(200, "not json"));
        if (mode == "wrongid")
            co_return co_await done(to, net::HttpResponse::json(200, answer("99", text("forged"))));
        if (mode == "huge")
            co_return co_await done(
                to, net::HttpResponse::json(200, answer(id, text(std::string(5 << 20, 'x')))));
        if (mode == "hang") {
            while (!to->peer_gone()) co_await self->reactor_.sleep(net::Millis(5));
            co_return;
        }
        while (mode == "waits" && !self->let_go && !to->peer_gone())
            co_await self->reactor_.sleep(net::Millis(5));
        if (mode == "json" || mode == "waits" || mode.starts_with("forget"))
            co_return co_await done(
                to, net::HttpResponse::json(
                        200, answer(id, R"({"content":[],"structuredContent":)" +
                                            body.substr(body.find(R"("arguments":)") + 12)
                                                .substr(0, body.size() -
                                                               body.find(R"("arguments":)") - 14) +
                                            "}")));
        co_await open(to);
        co_await stream(self, id, std::move(body), to);
    }
    static net::Task<void> stream(FakeHttpServer* self, std::string id, std::string body,
                                  net::Responder* to) {
        const std::string& mode = self->mode;
        const std::string progress =
            R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":)";
        if (mode == "dies") {
            co_await say(to, event(progress + id + R"(,"progress":1}})"));
            co_return;  // cut
        }
        if (mode == "resume") {
            co_await say(to, "id: e1\nretry: 5\ndata:\n\n");
            (void)co_await to->end();
            co_return;
        }
        if (mode == "silent") {  // ends on purpose, without ids
            (void)co_await to->end();
            co_return;
        }
        if (mode == "comments" || mode == "events" || mode == "endless") {
            std::string flood;
            const std::string line = mode == "comments" ? ": x\n\n"
                                     : mode == "events" ? event(progress + "7,\"progress\":1}}")
                                                        : "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";
            while (flood.size() < (256 << 10)) flood += line;
            while (!to->peer_gone()) {
                if (!co_await to->chunk(flood)) co_return;
            }
            co_return;
        }
        if (mode == "pings" || mode == "questions") {  // all at once
            std::string flood;
            for (int i = 0; i < 100; ++i)
                flood +=
                    event(R"({"jsonrpc":"2.0","id":"q)" + std::to_string(i) + R"(","method":")" +
                          (mode == "pings" ? "ping" : "elicitation/create") + R"("})");
            co_await say(to, flood);
        }
        if (mode == "batchstream") {
            const std::string token = between(body, R"("progressToken":)", ",}");
            co_await say(to, event("[" + progress + token + R"(,"progress":1}},)" +
                                   answer(id, text("batched")) + "]"));
        }
        if (mode == "strays")
            for (int i = 0; i < 100; ++i) co_await say(to, event("not json"));
        if (mode == "progress") {
            const std::string token = between(body, R"("progressToken":)", ",}");
            co_await say(to, "id: p\ndata:\n\n: hello\n\n");
            if (!token.empty()) {
                co_await say(to, event(progress + token + R"(,"progress":1,"message":"half"}})"));
                co_await say(to, event(progress + R"(99,"progress":2}})"));
            }
            co_await say(to, event(R"({"jsonrpc":"2.0","method":"notifications/message",)"
                                   R"("params":{"level":"info","data":"x"}})"));
            co_await say(
                to, event(R"({"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{}})"));
            co_await say(to, event(R"({"jsonrpc":"2.0","id":8,"method":"ping"})"));
            while (self->count(R"("id":7,)") < 1) co_await self->reactor_.sleep(net::Millis(2));
        }
        co_await say(to, event(answer(id, text("streamed"))));
        if (mode == "twice") co_await say(to, event(answer(id, text("again"))));
        if (mode == "lingers")
            while (!to->peer_gone()) co_await self->reactor_.sleep(net::Millis(5));
        (void)co_await to->end();
    }

    net::HttpServer server_;
};

}  // namespace writ::mcp::testing_peer

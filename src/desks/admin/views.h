// How tasks, tools and errors look in the admin API.
#pragma once

#include "base/error.h"
#include "catalog/catalog.h"
#include "catalog/difference.h"
#include "gate/gate.h"
#include "identity/types.h"
#include "json/node.h"
#include "net/http.h"

namespace writ::admin {

json::Node task_view(const identity::Task& task, std::int64_t boot_us);
// As task_view(), without the prompt.
json::Node task_summary(const identity::Task& task, std::int64_t boot_us);
json::Node tool_view(const catalog::Tool& tool);
json::Node server_view(const catalog::ServerSpec& server);
json::Node difference_view(const catalog::Tool& tool, const catalog::Pin& pinned,
                           const catalog::Difference& difference);
net::HttpResponse ok(const json::Node& body, int status = 200);
net::HttpResponse error(const Error& error);
// The HTTP status of an error code, as base/error.h documents it.
int http_status(ErrorCode code);

}  // namespace writ::admin

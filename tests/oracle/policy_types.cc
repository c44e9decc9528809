// What a catalog becomes for policies, for comparison with Cedar's own implementation: reads one
// JSON object a line, {"tools": [definitions], "calls": [{"tool", "arguments"}]}, and writes one,
// {"schema": text, "calls": [{"input": Cedar JSON} or {"refused": why}]}.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "catalog/catalog.h"
#include "cedar/cedar.h"
#include "cedar/value.h"
#include "json/node.h"
#include "policy/input.h"
#include "policy/schema.h"

namespace {

using namespace writ;

json::Node extension(std::string_view function, std::string argument) {
    json::Node out = json::Node::object();
    out["__extn"]["fn"] = function;
    out["__extn"]["arg"] = std::move(argument);
    return out;
}

// The argument of a constructor call's text: `decimal("1.0")`.
std::string inside(const std::string& call) {
    const auto open = call.find('"');
    return call.substr(open + 1, call.rfind('"') - open - 1);
}

json::Node to_node(const cedar::Value& value) {
    const cedar::Cell cell = cedar::Cell::of(value);
    json::Node out;
    switch (cell.type()) {
        case cedar::Type::kBool:
            return cell.is_true();
        case cedar::Type::kLong:
            return json::Node::raw(std::to_string(cell.number()));
        case cedar::Type::kString:
            return cell.text();
        case cedar::Type::kSet:
            out = json::Node::array();
            for (std::size_t i = 0; i < cell.set().size(); ++i)
                out.push_back(to_node(cell.set()[i].to_value()));
            return out;
        case cedar::Type::kRecord:
            out = json::Node::object();
            for (std::size_t i = 0; i < cell.record().size(); ++i)
                out[cell.record().key(i)] = to_node(cell.record().value(i).to_value());
            return out;
        case cedar::Type::kDecimal:
            return extension("decimal", inside(value.text()));
        case cedar::Type::kIp:
            return extension("ip", inside(value.text()));
        case cedar::Type::kDuration:
            return extension("duration", fmt::format("{}ms", cell.number()));
        case cedar::Type::kDatetime: {
            // The reference's own form of a point in time that has no short text.
            json::Node epoch = extension("datetime", "1970-01-01");
            out["__extn"]["fn"] = "offset";
            out["__extn"]["args"].push_back(std::move(epoch));
            out["__extn"]["args"].push_back(
                extension("duration", fmt::format("{}ms", cell.number())));
            return out;
        }
        case cedar::Type::kEntity:
            break;
    }
    return out;
}

json::Node answer(const json::Value& line) {
    catalog::ServerSpec server;
    server.name = "s";
    server.command = {"s"};
    auto made = catalog::Catalog::make({server}, {}, {});
    const auto listed = (*made)->update("s", *line.find("tools"));
    json::Node out = json::Node::object();
    out["calls"] = json::Node::array();
    if (!listed) {
        out["refused"] = listed.error().message();
        return out;
    }
    const auto snapshot = (*made)->snapshot();
    const policy::Shapes shapes(*snapshot);
    const auto text = policy::schema_text({*snapshot, shapes, {"s"}, {}, {}});
    out["schema"] = text ? *text : "";
    for (const auto& dropped : listed->dropped) out["dropped"].push_back(dropped);
    const auto calls = line.find("calls");
    for (const json::Value& call : calls->elements()) {
        json::Node one = json::Node::object();
        const auto tool = snapshot->by_qualified(std::string(*call.string("tool")));
        if (tool) {
            const auto input = policy::input_value(*call.find("arguments"), *shapes.of(*tool));
            if (input)
                one["input"] = to_node(*input);
            else
                one["refused"] = input.error().detail;
        } else {
            one["refused"] = "no such tool";
        }
        out["calls"].push_back(std::move(one));
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::ifstream in(argv[1]);
    std::ofstream out(argv[2]);
    std::string line;
    while (std::getline(in, line)) {
        const auto parsed = json::parse(line, {.bytes_max = 16 << 20});
        if (!parsed) {
            std::fputs((parsed.error().message() + "\n").c_str(), stderr);
            return 1;
        }
        out << answer(parsed->root()).dump() << '\n';
    }
    return in.eof() ? 0 : 1;
}

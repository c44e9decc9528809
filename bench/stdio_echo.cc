// A stdio tool server that costs next to nothing: one tool, `echo`, which answers 1 KiB. It looks
// for the id by its fixed spelling, so that a measurement shows the gateway and not this.
#include <unistd.h>

#include <string>

namespace {

std::string id_of(const std::string& line) {
    const auto at = line.find("\"id\":");
    if (at == std::string::npos) return {};
    const auto from = at + 5;
    return line.substr(from, line.find_first_of(",}", from) - from);
}

std::string answer(const std::string& line) {
    static const std::string text(960, 'x');
    const std::string head = R"({"jsonrpc":"2.0","id":)" + id_of(line) + R"(,"result":)";
    if (line.find("\"tools/call\"") != std::string::npos)
        return head + R"({"content":[{"type":"text","text":")" + text + "\"}]}}\n";
    if (line.find("\"tools/list\"") != std::string::npos)
        return head +
               R"({"tools":[{"name":"echo","inputSchema":{"type":"object","properties":)"
               R"({"n":{"type":"integer"},"pad":{"type":"string"}},"required":["n"]}}]}})" +
               "\n";
    if (line.find("\"initialize\"") != std::string::npos)
        return head + R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},)" +
               R"("serverInfo":{"name":"e","version":"1"}}})" + "\n";
    return {};
}

}  // namespace

int main() {
    std::string in, out;
    char buffer[65536];
    for (ssize_t n = 0; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
        in.append(buffer, static_cast<std::size_t>(n));
        std::size_t from = 0;
        for (std::size_t end = 0; (end = in.find('\n', from)) != std::string::npos; from = end + 1)
            out += answer(in.substr(from, end - from));
        in.erase(0, from);
        for (std::size_t sent = 0; sent < out.size();) {
            const ssize_t k = write(STDOUT_FILENO, out.data() + sent, out.size() - sent);
            if (k <= 0) return 1;
            sent += static_cast<std::size_t>(k);
        }
        out.clear();
    }
    return 0;
}

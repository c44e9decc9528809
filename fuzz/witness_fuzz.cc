// Submissions to a witness that knows one log: without the log's signature nothing is ever
// cosigned.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "ledger/witness.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static writ::SystemClock clock;
    static const auto witness = [] {
        const auto dir = std::filesystem::temp_directory_path() /
                         ("writ-witness-fuzz-" + std::to_string(getpid()));
        auto opened = writ::ledger::Witness::open({dir, "witness.example/w1"},
                                                  writ::crypto::Ed25519Key::generate(), clock);
        WRIT_CHECK(opened.has_value());
        const auto key = writ::crypto::Ed25519Key::generate().public_key();
        WRIT_CHECK((*opened)->set_logs({writ::ledger::make_vkey("example.com/log", key)}));
        return std::move(*opened);
    }();
    const auto answer =
        witness->add_checkpoint(std::string(reinterpret_cast<const char*>(data), size));
    WRIT_CHECK(answer.status == 400 || answer.status == 403 || answer.status == 404 ||
               answer.status == 413);
    return 0;
}

#include "evidence/scanner.h"

#include <hs/hs.h>

#include <algorithm>
#include <limits>

#include "base/wide.h"

namespace writ::evidence {

namespace {

struct FreeDatabase {
    void operator()(hs_database_t* database) const { hs_free_database(database); }
};
struct FreeScratch {
    void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
};
using PatternDatabase = std::unique_ptr<hs_database_t, FreeDatabase>;
using Scratch = std::unique_ptr<hs_scratch_t, FreeScratch>;

// hs_alloc_scratch() lets scratch grow for every database it is used with. Null: no memory.
hs_scratch_t* scratch_for(const hs_database_t* database) {
    thread_local Scratch scratch;
    thread_local const hs_database_t* fits = nullptr;
    if (fits == database) return scratch.get();
    hs_scratch_t* raw = scratch.release();
    const bool made = hs_alloc_scratch(database, &raw) == HS_SUCCESS;
    scratch.reset(raw);
    fits = made ? database : nullptr;
    return made ? scratch.get() : nullptr;
}

// ASCII without vertical tabs.
WRIT_WIDE bool is_plain(std::string_view text) {
    unsigned char all = 0;
    bool tab = false;
    for (const char c : text) {
        all |= static_cast<unsigned char>(c);
        tab |= c == '\v';
    }
    return all < 0x80 && !tab;
}

int stop_at_first(unsigned, unsigned long long, unsigned long long, unsigned, void* found) {
    *static_cast<bool*>(found) = true;
    return 1;
}

class VectorScanner final : public Scanner {
  public:
    explicit VectorScanner(PatternDatabase database) : database_(std::move(database)) {}

    bool finds(std::string_view text) const override {
        hs_scratch_t* const scratch = scratch_for(database_.get());
        if (scratch == nullptr || text.size() > std::numeric_limits<unsigned>::max()) return true;
        bool found = false;
        const hs_error_t done =
            hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0, scratch,
                    stop_at_first, &found);
        return found || done != HS_SUCCESS;
    }

  private:
    PatternDatabase database_;
};

}  // namespace

std::unique_ptr<const Scanner> Scanner::make(const std::vector<std::string>& patterns) {
    if (patterns.empty() || hs_valid_platform() != HS_SUCCESS) return nullptr;
    std::vector<const char*> texts;
    for (const std::string& pattern : patterns) texts.push_back(pattern.c_str());
    const std::vector<unsigned> flags(patterns.size(), HS_FLAG_SINGLEMATCH);
    hs_database_t* raw = nullptr;
    hs_compile_error_t* error = nullptr;
    const hs_error_t made =
        hs_compile_multi(texts.data(), flags.data(), nullptr, static_cast<unsigned>(texts.size()),
                         HS_MODE_BLOCK, nullptr, &raw, &error);
    if (error != nullptr) hs_free_compile_error(error);
    if (made != HS_SUCCESS) return nullptr;
    return std::make_unique<VectorScanner>(PatternDatabase(raw));
}

bool Scanner::takes(std::string_view text) {
    return is_plain(text);
}

}  // namespace writ::evidence

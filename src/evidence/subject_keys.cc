#include "evidence/subject_keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "evidence/files.h"

namespace writ::evidence {

namespace {

namespace fs = std::filesystem;

// Of the files of `k2-` keys and of `k3-` keys; what is made now is a `k3-`.
constexpr std::string_view kMagic1 = "WRITDEK1", kMagic2 = "WRITDEK2";
static_assert(kMagic1.size() == kKeyMagicBytes && kMagic2.size() == kKeyMagicBytes);
constexpr std::size_t kTenantKidBytes = 19;  // `k1-` and 16 digits
constexpr std::size_t kFileBytes = kKeyMagicBytes + kTenantKidBytes + 24 + kVaultKeyBytes + 16;
constexpr std::size_t kTagText = 16;
constexpr std::size_t kMonthText = 7;
// Subjects whose key is held; beyond it all are forgotten and made anew.
constexpr std::size_t kMaxSubjectsHeld = 20'000;
constexpr std::size_t kMaxLoaded = 4'096;

bool is_month(std::string_view text) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return text.size() == kMonthText && text[4] == '-' &&
           std::ranges::all_of(text.substr(0, 4), digit) &&
           std::ranges::all_of(text.substr(5), digit) && text.substr(5) >= "01" &&
           text.substr(5) <= "12";
}

// `<tag>-<kid>.dek`.
std::string_view kid_in(std::string_view name) {
    const std::string_view ending = ".dek";
    if (name.size() != kTagText + 1 + kTenantKidBytes + ending.size() || !name.ends_with(ending)) {
        return {};
    }
    return name.substr(kTagText + 1, kTenantKidBytes);
}

std::string bound_to(std::string_view tenant, std::string_view month, std::string_view tag,
                     std::string_view kid) {
    const bool first = subject_cipher(kid) == SubjectCipher::kXChaCha20Poly1305;
    std::string out = first ? "writ vault 1 dek" : "writ vault 2 dek";
    for (const auto part : {tenant, month, tag, kid}) out.append(1, '\0').append(part);
    return out;
}

// Calls each(month, path) for every key file.
template <class F>
Status each_file(const fs::path& dir, const F& each) {
    std::error_code error;
    for (const auto& month : fs::directory_iterator(dir, error)) {
        const std::string name = month.path().filename().string();
        if (!is_month(name)) continue;
        std::error_code inner;
        for (const auto& file : fs::directory_iterator(month.path(), inner)) {
            if (!kid_in(file.path().filename().string()).empty()) each(name, file.path());
        }
        if (inner) return fail(ErrorCode::kIo, "cannot list keys: " + inner.message());
    }
    if (error) return fail(ErrorCode::kIo, "cannot list keys: " + error.message());
    return {};
}

}  // namespace

std::string month_of(std::int64_t t_us) {
    const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(t_us)};
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
    return fmt::format("{:04}-{:02}", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()));
}

SubjectKeys::SubjectKeys(fs::path dir, std::string tenant, KeyRing& ring)
    : dir_(std::move(dir)), tenant_(std::move(tenant)), ring_(ring) {}

std::string SubjectKeys::tag(std::string_view subject) const {
    const Sha256 mac = crypto::hmac_sha256(ring_.current().tag.view(), as_bytes(subject));
    return to_hex(ByteView(mac).first(kTagText / 2));
}

std::shared_ptr<const VaultKeys> SubjectKeys::current(const PayloadOwner& owner) {
    using std::chrono::days, std::chrono::floor, std::chrono::microseconds;
    const std::int64_t day = floor<days>(microseconds(owner.t_us)).count();
    const std::lock_guard lock(mutex_);
    if (day_.month.empty() || day_.number != day) day_ = {day, month_of(owner.t_us)};
    const std::string& month = day_.month;
    const auto held = current_.find(owner.subject);
    if (held != current_.end() && held->second.month == month) return held->second.keys;
    if (current_.size() >= kMaxSubjectsHeld) current_.clear();
    const SecretBytes dek = SecretBytes::random(kVaultKeyBytes);
    auto keys = std::make_shared<VaultKeys>(
        derive_subject_keys(dek.view(), tenant_, SubjectCipher::kXaes256Gcm));
    const VaultKeys& tenant = ring_.current();
    const std::string label = tag(owner.subject);
    Bytes content(kMagic2.begin(), kMagic2.end());
    content.insert(content.end(), tenant.kid.begin(), tenant.kid.end());
    const Bytes sealed =
        crypto::seal(tenant.wrap.view(), random_bytes(crypto::kSealNonceBytes), dek.view(),
                     as_bytes(bound_to(tenant_, month, label, keys->kid)));
    content.insert(content.end(), sealed.begin(), sealed.end());
    fs::path file = dir_ / month / (label + "-" + keys->kid + ".dek");
    files_.emplace(keys->kid, file);
    unwritten_.emplace(keys->kid, keys);
    pending_.push_back({std::move(file), std::move(content)});
    current_.insert_or_assign(std::string(owner.subject), Owned{month, keys});
    return keys;
}

Status SubjectKeys::write_pending() {
    const std::lock_guard disk(disk_);
    std::vector<Pending> batch;
    {
        const std::lock_guard lock(mutex_);
        batch.swap(pending_);
    }
    Status state;
    std::size_t done = 0;
    for (; done < batch.size() && state; ++done) {
        const auto& folder = batch[done].file.parent_path();
        state = make_private_dir(folder);
        if (state) state = replace_file(batch[done].file, batch[done].content);
        if (!state) break;
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < done; ++i) {
        const std::string name = batch[i].file.filename().string();
        if (const auto it = unwritten_.find(kid_in(name)); it != unwritten_.end()) {
            unwritten_.erase(it);
        }
    }
    pending_.insert(pending_.begin(),
                    std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(done)),
                    std::make_move_iterator(batch.end()));
    return state;
}

fs::path SubjectKeys::find_file(std::string_view kid) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto it = files_.find(kid); it != files_.end()) return it->second;
    }
    std::map<std::string, fs::path, std::less<>> all;
    static_cast<void>(each_file(dir_, [&](const std::string&, const fs::path& file) {
        all.emplace(kid_in(file.filename().string()), file);
    }));
    const std::lock_guard lock(mutex_);
    files_.merge(all);
    const auto it = files_.find(kid);
    return it == files_.end() ? fs::path() : it->second;
}

Result<std::shared_ptr<const VaultKeys>> SubjectKeys::find(std::string_view kid) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto it = unwritten_.find(kid); it != unwritten_.end()) return it->second;
    }
    const auto file = find_file(kid);
    // Shredded is shredded, also for a process that had the key in memory.
    if (file.empty() || ::access(file.c_str(), F_OK) != 0) {
        const std::lock_guard lock(mutex_);
        if (const auto it = loaded_.find(kid); it != loaded_.end()) loaded_.erase(it);
        return fail(ErrorCode::kForbidden, fmt::format("key `{}` was shredded", kid));
    }
    {
        const std::lock_guard lock(mutex_);
        const auto it = loaded_.find(kid);
        if (it != loaded_.end() && ring_.find(it->second.tenant_kid)) return it->second.keys;
    }
    auto loaded = load(file, kid);
    if (!loaded) return fail(loaded.error());
    const std::lock_guard lock(mutex_);
    if (loaded_.size() >= kMaxLoaded) loaded_.clear();
    return loaded_.insert_or_assign(std::string(kid), std::move(*loaded)).first->second.keys;
}

Result<SubjectKeys::Loaded> SubjectKeys::load(const fs::path& file, std::string_view kid) {
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) return fail(io_error("cannot open a key", errno));
    std::array<std::uint8_t, kFileBytes> content{};
    const auto read = read_at(fd.get(), content, 0);
    if (!read) return fail(read.error());
    const ByteView view(content);
    const auto cipher = subject_cipher(kid);
    const auto magic = cipher == SubjectCipher::kXaes256Gcm ? kMagic2 : kMagic1;
    if (!*read || !cipher || as_text(view.first(kKeyMagicBytes)) != magic) {
        return fail(ErrorCode::kCorrupt, "`" + file.string() + "` is not a subject's key");
    }
    std::string tenant_kid(as_text(view.subspan(kKeyMagicBytes, kTenantKidBytes)));
    const auto tenant = ring_.find(tenant_kid);
    if (!tenant) return fail(tenant.error());
    const std::string month = file.parent_path().filename().string();
    const std::string label = file.filename().string().substr(0, kTagText);
    const auto dek =
        crypto::open((*tenant)->wrap.view(), view.subspan(kKeyMagicBytes + kTenantKidBytes),
                     as_bytes(bound_to(tenant_, month, label, kid)));
    if (!dek) {
        return fail(ErrorCode::kCorrupt, "`" + file.string() + "` was changed or moved here");
    }
    auto keys = std::make_shared<VaultKeys>(derive_subject_keys(ByteView(*dek), tenant_, *cipher));
    if (keys->kid != kid) {
        return fail(ErrorCode::kCorrupt, "`" + file.string() + "` holds another key");
    }
    return Loaded{std::move(keys), std::move(tenant_kid)};
}

Result<Shredding> SubjectKeys::plan(std::string_view subject, std::string_view before) const {
    if (!before.empty() && !is_month(before)) {
        return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a month: write 2026-11", before));
    }
    const std::string wanted = tag(subject);
    Shredding out;
    const auto take = [&](const std::string& month, const fs::path& file) {
        const std::string name = file.filename().string();
        if (!name.starts_with(wanted) || (!before.empty() && month >= before)) return;
        out.kids.emplace_back(kid_in(name));
        if (std::ranges::find(out.months, month) == out.months.end()) out.months.push_back(month);
    };
    // A key that is just being written is neither pending nor listed: it must not be overlooked.
    const std::lock_guard disk(disk_);
    if (auto listed = each_file(dir_, take); !listed) return fail(listed.error());
    const std::lock_guard lock(mutex_);
    for (const auto& pending : pending_) {
        take(pending.file.parent_path().filename().string(), pending.file);
    }
    std::ranges::sort(out.kids);
    std::ranges::sort(out.months);
    return out;
}

Status SubjectKeys::shred(std::string_view subject, const Shredding& plan) {
    // A key that is just being written is deleted after it.
    const std::lock_guard disk(disk_);
    std::vector<fs::path> doomed;
    for (const auto& kid : plan.kids) doomed.push_back(find_file(kid));
    {
        const std::lock_guard lock(mutex_);
        const auto of_plan = [&](std::string_view kid) {
            return std::ranges::find(plan.kids, kid) != plan.kids.end();
        };
        if (const auto it = current_.find(std::string(subject));
            it != current_.end() && of_plan(it->second.keys->kid)) {
            current_.erase(it);
        }
        std::erase_if(pending_, [&](const Pending& p) {
            return of_plan(kid_in(p.file.filename().string()));
        });
        const auto doomed_entry = [&](const auto& entry) { return of_plan(entry.first); };
        std::erase_if(unwritten_, doomed_entry);
        std::erase_if(loaded_, doomed_entry);
    }
    Status state;
    for (const auto& file : doomed) {
        if (file.empty()) continue;
        if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
            state = fail(io_error("cannot delete `" + file.string() + "`", errno));
        } else if (fs::exists(file.parent_path())) {
            if (auto synced = sync_dir(file.parent_path()); !synced) state = synced;
        }
    }
    return state;
}

}  // namespace writ::evidence

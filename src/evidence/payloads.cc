#include "evidence/payloads.h"

#include <algorithm>

#include "base/inert.h"

namespace writ::evidence {

namespace {

// Shreddings that are remembered while payloads are read.
constexpr std::size_t kMaxShreddings = 100'000;

}  // namespace

std::string_view name(PayloadAnswer answer) {
    switch (answer) {
        case PayloadAnswer::kMatches:
            return "matches";
        case PayloadAnswer::kShredded:
            return "shredded";
        case PayloadAnswer::kMissing:
            return "missing";
        case PayloadAnswer::kDiffers:
            return "differs";
        case PayloadAnswer::kNotStored:
            return "not_stored";
        case PayloadAnswer::kError:
            break;
    }
    return "error";
}

std::vector<PayloadView> PayloadReader::read(const Leaf& leaf) {
    std::vector<PayloadView> out;
    const auto list = leaf.document->root().find("payloads");
    if (!list || !list->is_array()) return out;
    for (const auto& payload : list->elements()) {
        const auto text = [&](std::string_view member) {
            return std::string(payload.string(member).value_or(""));
        };
        PayloadView view;
        view.role = text("role");
        view.media_type = text("mt");
        view.state = text("state");
        view.cid = text("cid");
        view.kid = text("kid");
        view.bytes =
            static_cast<std::uint64_t>(std::max<std::int64_t>(payload.i64("len").value_or(0), 0));
        ask(view, text("com"));
        out.push_back(std::move(view));
    }
    return out;
}

void PayloadReader::ask(PayloadView& view, std::string_view com) {
    if (view.state != "stored" && view.state != "redacted") {
        view.answer = PayloadAnswer::kNotStored;
        view.detail = inert(view.state, 64);
        return;
    }
    auto plain = vault_.get(view.cid, view.kid);
    if (plain && vault_.commits(view.kid, com, *plain)) {
        view.answer = PayloadAnswer::kMatches;
        view.plain = std::move(*plain);
        return;
    }
    if (plain) {
        view.answer = PayloadAnswer::kDiffers;
        view.detail = "DOES NOT MATCH its commitment";
        return;
    }
    switch (plain.error().code) {
        case ErrorCode::kForbidden: {
            const auto by = shredded_by(view.kid);
            view.answer = by ? PayloadAnswer::kShredded : PayloadAnswer::kMissing;
            view.by = by.value_or("");
            view.detail = !by ? "MISSING: its key is gone and no event says that it was shredded"
                          : by->empty() ? "shredded"
                                        : "shredded by event " + *by;
            return;
        }
        case ErrorCode::kNotFound:
            view.answer = PayloadAnswer::kMissing;
            view.detail = "MISSING from the vault";
            return;
        case ErrorCode::kCorrupt:
            view.answer = PayloadAnswer::kDiffers;
            view.detail = "CHANGED in the vault: " + inert(plain.error().message(), 200);
            return;
        default:
            view.answer = PayloadAnswer::kError;
            view.detail = inert(plain.error().message(), 200);
    }
}

std::optional<std::string> PayloadReader::shredded_by(const std::string& kid) {
    if (index_ == nullptr) return std::string();
    if (!read_shredded_) {
        read_shredded_ = true;
        Query query;
        query.type = "payload.shredded";
        query.limit = kMaxShreddings;
        const auto found = index_->search(query);
        if (found) {
            std::vector<std::uint64_t> rising(found->rbegin(), found->rend());
            static_cast<void>(index_->source().pick(rising, [&](std::uint64_t,
                                                                std::string_view bytes) {
                const auto leaf = read_leaf(bytes);
                const auto kids = leaf && leaf->data ? leaf->data->find("kids") : std::nullopt;
                if (!kids || !kids->is_array()) return true;
                for (const auto& entry : kids->elements()) {
                    shredded_.try_emplace(std::string(entry.as_string().value_or("")), leaf->id);
                }
                return true;
            }));
        }
    }
    const auto it = shredded_.find(kid);
    if (it == shredded_.end()) return std::nullopt;
    return it->second;
}

}  // namespace writ::evidence

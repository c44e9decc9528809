// Defends: a tool that could be another after a restart, unnoticed, is not offered.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "catalog/testing.h"

namespace writ::catalog {
namespace {

std::vector<ServerSpec> one_server() {
    ServerSpec fs;
    fs.name = "fs";
    return {fs};
}

class OfferOnceStored : public ::testing::Test {
  protected:
    OfferOnceStored() : catalog_(*Catalog::make(one_server(), {}, {}, Offer::kOnceStored)) {}
    Catalog::Listed update(const std::string& tools) {
        const std::string text = "[" + tools + "]";
        const auto document = json::parse(text);
        EXPECT_TRUE(document);
        auto listed = catalog_->update("fs", document->root());
        EXPECT_TRUE(listed);
        return listed ? std::move(*listed) : Catalog::Listed{};
    }
    bool offered(const std::string& name) const {
        return catalog_->snapshot()->by_qualified("fs/" + name) != nullptr;
    }

    std::unique_ptr<Catalog> catalog_;
};

TEST_F(OfferOnceStored, ANewToolIsKnownAndAbsentUntilThen) {
    const auto first = update(tool_json("read")).first_seen;
    ASSERT_EQ(first.size(), 1u);
    EXPECT_FALSE(offered("read"));
    EXPECT_NE(catalog_->snapshot()->absent("fs__read"), nullptr);
    EXPECT_NE(catalog_->expected()->by_qualified("fs/read"), nullptr);
    EXPECT_EQ(catalog_->unstored(), first);
    EXPECT_TRUE(catalog_->stored(first));
    EXPECT_FALSE(catalog_->stored(first));
    EXPECT_TRUE(catalog_->unstored().empty());
    EXPECT_TRUE(offered("read"));
    EXPECT_EQ(catalog_->snapshot()->absent("fs__read"), nullptr);
    // What is known is offered at once.
    update(tool_json("write") + "," + tool_json("read"));
    EXPECT_TRUE(offered("read"));
    EXPECT_FALSE(offered("write"));
}

TEST_F(OfferOnceStored, TheFirstDefinitionCountsMeanwhile) {
    const auto first = update(tool_json("read")).first_seen;
    EXPECT_EQ(update(tool_json("read", "other")).changed.size(), 1u);
    EXPECT_EQ(catalog_->unstored(), first);
    EXPECT_TRUE(catalog_->stored(first));
    ASSERT_TRUE(offered("read"));
    EXPECT_TRUE(catalog_->snapshot()->by_qualified("fs/read")->changed);
}

TEST_F(OfferOnceStored, AReloadOffersNoneBefore) {
    const auto first = update(tool_json("read")).first_seen;
    auto plan = catalog_->plan(one_server(), {}, {});
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->snapshot->by_qualified("fs/read"), nullptr);
    EXPECT_TRUE(catalog_->stored(first));
    EXPECT_FALSE(catalog_->commit(*plan)) << "it was made without the tool";
}

}  // namespace
}  // namespace writ::catalog

// The store: closure, duplicates, cycles, overlays.
#include "cedar/entities.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "cedar/test_world.h"

namespace writ::cedar {
namespace {

EntityData entity(std::string id, std::vector<std::string> parents) {
    EntityData out;
    out.uid = {"G", std::move(id)};
    for (auto& parent : parents) out.parents.push_back({"G", std::move(parent)});
    return out;
}

bool below(const Entities& store, const std::string& id, const std::string& group) {
    const Uid a({"G", id}), b({"G", group});
    return store.impl().has_ancestor(a.ref(), b.ref());
}

std::shared_ptr<const Entities> shared(std::vector<EntityData> data) {
    return std::make_shared<const Entities>(Entities::build(std::move(data)).value());
}

TEST(Entities, ParentsAreClosedTransitively) {
    const auto store = Entities::build({entity("a", {"b"}), entity("b", {"c", "d"}),
                                        entity("c", {"e"}), entity("x", {})})
                           .value();
    for (const char* group : {"b", "c", "d", "e"}) EXPECT_TRUE(below(store, "a", group)) << group;
    EXPECT_FALSE(below(store, "a", "x"));
    EXPECT_FALSE(below(store, "b", "a"));
    EXPECT_FALSE(below(store, "d", "e"));
}

TEST(Entities, MissingParentsAreLeaves) {
    const auto store = Entities::build({entity("a", {"gone"})}).value();
    EXPECT_TRUE(below(store, "a", "gone"));
    EXPECT_EQ(store.impl().find(Uid({"G", "gone"}).ref()), nullptr);
    EXPECT_NE(store.impl().find(Uid({"G", "a"}).ref()), nullptr);
}

TEST(Entities, CyclesAreRefusedAtAnyLength) {
    EXPECT_FALSE(Entities::build({entity("a", {"a"})}));
    EXPECT_FALSE(Entities::build({entity("a", {"b"}), entity("b", {"c"}), entity("c", {"b"})}));
    const auto cycle = Entities::build({entity("a", {"b"}), entity("b", {"a"})});
    ASSERT_FALSE(cycle);
    EXPECT_EQ(cycle.error().code, ErrorCode::kInvalid);
    EXPECT_TRUE(cycle.error().detail.starts_with("input graph has a cycle containing vertex"));
}

TEST(Entities, DuplicatesMustSayTheSame) {
    EXPECT_TRUE(Entities::build({entity("a", {"b", "c"}), entity("a", {"c", "b", "b"})}));
    EXPECT_FALSE(Entities::build({entity("a", {"b"}), entity("a", {"c"})}));
    EntityData tagged = entity("a", {});
    tagged.tags = {{"t", Value::integer(1)}};
    EXPECT_FALSE(Entities::build({entity("a", {}), tagged}));
}

TEST(Entities, ActionsHaveOnlyActionsAbove) {
    EntityData action;
    action.uid = {"N::Action", "x"};
    action.parents = {{"Action", "all"}};
    EXPECT_TRUE(Entities::build({action}));
    action.parents = {{"Group", "all"}};
    EXPECT_FALSE(Entities::build({action}));
}

TEST(Entities, ALongChainNeitherOverflowsTheStackNorTakesAllMemory) {
    std::vector<EntityData> chain;
    for (int i = 0; i < 1'500; ++i)
        chain.push_back(entity(std::to_string(i), {std::to_string(i + 1)}));
    EXPECT_TRUE(below(Entities::build(chain).value(), "0", "1500"));
    for (int i = 1'500; i < 5'000; ++i)
        chain.push_back(entity(std::to_string(i), {std::to_string(i + 1)}));
    const auto refused = Entities::build(std::move(chain));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
}

TEST(Overlay, SeesTheBaseAndKeepsItAlive) {
    auto base = shared({entity("b", {"c"})});
    const auto store = Entities::overlay(base, {entity("a", {"b"})}).value();
    base.reset();
    EXPECT_TRUE(below(store, "a", "b"));
    EXPECT_TRUE(below(store, "a", "c"));
    EXPECT_TRUE(below(store, "b", "c"));
    EXPECT_NE(store.impl().find(Uid({"G", "b"}).ref()), nullptr);
}

TEST(Overlay, GivesAncestorsToWhatTheBaseOnlyMentions) {
    const auto base = shared({entity("a", {"gone"})});
    const auto store = Entities::overlay(base, {entity("gone", {"top"})}).value();
    EXPECT_TRUE(below(store, "a", "top"));
    EXPECT_FALSE(below(*base, "a", "top"));
    std::vector<UidRef> above;
    const Uid a({"G", "a"});
    store.impl().ancestors(a.ref(), above);
    EXPECT_EQ(above.size(), 2u);
}

TEST(Overlay, MayNotContradictTheBaseOrCloseACycle) {
    const auto base = shared({entity("a", {"b"})});
    EXPECT_TRUE(Entities::overlay(base, {entity("a", {"b"})}));
    EXPECT_FALSE(Entities::overlay(base, {entity("a", {"c"})}));
    EXPECT_FALSE(Entities::overlay(base, {entity("b", {"a"})}));
    EXPECT_FALSE(Entities::overlay(base, {entity("b", {"c"}), entity("c", {"a"})}));
}

TEST(Overlay, StacksAndStandsAlone) {
    const auto base = shared({entity("a", {"b"})});
    const auto middle =
        std::make_shared<const Entities>(Entities::overlay(base, {entity("b", {"c"})}).value());
    const auto top = Entities::overlay(middle, {entity("c", {"d"})}).value();
    EXPECT_TRUE(below(top, "a", "c"));
    EXPECT_TRUE(below(top, "a", "d"));
    EXPECT_TRUE(below(Entities::overlay(nullptr, {entity("x", {"y"})}).value(), "x", "y"));
}

// However entities are spread over layers, the answers are those of one store.
TEST(Overlay, AgreesWithOneStore) {
    const bool held = rc::check([] {
        std::vector<std::vector<EntityData>> layers(3);
        std::vector<EntityData> all;
        for (int i = 0; i < 8; ++i) {
            if (*rc::gen::inRange(0, 5) == 0) continue;  // only mentioned
            std::vector<std::string> parents;
            for (int j = i + 1; j < 10; ++j)
                if (*rc::gen::inRange(0, 3) == 0) parents.push_back(std::to_string(j));
            EntityData data = entity(std::to_string(i), std::move(parents));
            all.push_back(data);
            layers[static_cast<std::size_t>(*rc::gen::inRange(0, 3))].push_back(std::move(data));
        }
        const auto one = Entities::build(all).value();
        auto store = shared(layers[0]);
        for (std::size_t i = 1; i < layers.size(); ++i)
            store = std::make_shared<const Entities>(Entities::overlay(store, layers[i]).value());
        for (int a = 0; a < 10; ++a) {
            const Uid from({"G", std::to_string(a)});
            std::vector<UidRef> listed;
            store->impl().ancestors(from.ref(), listed);
            const std::set<UidRef> above(listed.begin(), listed.end());
            for (int b = 0; b < 10; ++b) {
                const Uid to({"G", std::to_string(b)});
                const bool expected = one.impl().has_ancestor(from.ref(), to.ref());
                RC_ASSERT(store->impl().has_ancestor(from.ref(), to.ref()) == expected);
                RC_ASSERT(above.contains(to.ref()) == expected);
            }
        }
    });
    EXPECT_TRUE(held);
}

TEST(EntitiesJson, ErrorsNameTheEntityAndThePlace) {
    const auto loaded = Entities::parse_json(
        R"([{"uid": {"type": "A", "id": "x"}, "attrs": {"k": {"z": null}}, "parents": []}])");
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().detail.find("attributes of `A::\"x\"`: in k.z"), std::string::npos)
        << loaded.error().detail;
}

TEST(EntitiesJson, RefusesOtherShapes) {
    for (const char* text :
         {"", "{}", "[1]", "[{}]",
          R"([{"uid": {"type": "A", "id": 1}, "attrs": {}, "parents": []}])",
          R"([{"uid": {"type": "A", "id": "x"}, "attrs": [], "parents": []}])",
          R"([{"uid": {"type": "A", "id": "x"}, "attrs": {}, "parents": {}}])",
          R"([{"uid": {"type": "A", "id": "x"}, "attrs": {}, "parents": ["B"]}])",
          R"([{"uid": {"type": "A", "id": "x"}, "attrs": {"a": 1, "a": 1}, "parents": []}])",
          R"([{"uid": {"type": "A", "id": "x"}, "attrs": {}, "parents": [], "tags": 1}])",
          R"([{"uid": {"type": "A::", "id": "x"}, "attrs": {}, "parents": []}])"})
        EXPECT_FALSE(Entities::parse_json(text)) << text;
}

TEST(Entities, AreReadBackFromTheirJson) {
    const auto store = Entities::parse_json(R"([
      {"uid": {"type": "U", "id": "a"},
       "parents": [{"type": "U", "id": "c"}, {"type": "U", "id": "b"}],
       "attrs": {"d": {"__extn": {"fn": "decimal", "arg": "1.5"}},
                 "i": {"__extn": {"fn": "ip", "arg": "10.0.0.1/8"}},
                 "t": {"__extn": {"fn": "datetime", "arg": "2024-01-01T00:00:00Z"}},
                 "u": {"__extn": {"fn": "duration", "arg": "-1h"}},
                 "s": [3, "x", true, {"__entity": {"type": "U", "id": "b"}}],
                 "r": {"k": {}}, "__entity": 1},
       "tags": {"x": [1]}},
      {"uid": {"type": "U", "id": "b"}, "parents": [], "attrs": {}}])");
    ASSERT_TRUE(store) << store.error().message();
    const std::string json = store->to_json().value();
    EXPECT_NE(json.find(R"({"__extn":{"arg":"1.5000","fn":"decimal"}})"), std::string::npos)
        << json;
    EXPECT_NE(json.find(R"("args":[{"__extn":{"arg":"1970-01-01","fn":"datetime"}})"),
              std::string::npos)
        << json;
    const auto again = Entities::parse_json(json);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->to_json().value(), json);
    for (const auto& entity : store->impl().entities) {
        const Entity* other = again->impl().find(entity->uid.ref());
        ASSERT_NE(other, nullptr);
        EXPECT_EQ(other->attributes, entity->attributes);
        EXPECT_EQ(other->tags, entity->tags);
        EXPECT_EQ(other->parents, entity->parents);
    }
}

TEST(Entities, WhatJsonCannotSayIsRefused) {
    EntityData data = entity("a", {});
    data.attributes.emplace_back("r", Value::record({{"__extn", Value::integer(1)}}));
    EXPECT_EQ(Entities::build({data})->to_json().error().code, ErrorCode::kUnsupported);
}

TEST(Entities, AnOverlayIsWrittenWithItsBase) {
    const auto base = shared({entity("a", {"b"})});
    const auto over = Entities::overlay(base, {entity("b", {"c"})}).value();
    const auto again = Entities::parse_json(over.to_json().value()).value();
    EXPECT_TRUE(below(again, "a", "c"));
}

TEST(Entities, TheirNumberIsLimited) {
    std::string json = "[0";
    for (std::size_t i = 0; i < kEntitiesMax; ++i) json += ",0";
    EXPECT_EQ(Entities::parse_json(json + "]").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace writ::cedar

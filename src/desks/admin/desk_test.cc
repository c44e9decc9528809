// Defends: an operator gets an answer whatever happens to the task meanwhile and however many tasks
// there are.
#include <algorithm>

#include "base/limits.h"
#include "desks/admin/test_desk.h"

namespace writ::admin {
namespace {

using testing::World;

// A dead task may be forgotten as soon as there is no room for new ones.
TEST(AdminDesk, RevokesATaskThatIsForgottenMeanwhile) {
    World world;
    const TaskId id = world.start(World::spec())->id;
    world.gate.on_end = [&] {
        for (std::size_t i = 0; i <= kMaxTasks && world.directory.task(id); ++i)
            world.start(World::spec());
    };
    const auto answer = world.ask("POST", "tasks/" + id.text() + "/revoke");
    ASSERT_EQ(world.directory.task(id), nullptr);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto body = json::parse(answer.body);
    ASSERT_TRUE(body);
    EXPECT_EQ(body->root().string("id"), id.text());
    EXPECT_EQ(body->root().string("state"), "revoked");
}

// What a client reads of one answer; more is refused by it as too large.
TEST(AdminDesk, ListsManyTasksWithLongWordsInPagesThatClientsRead) {
    World world;
    identity::TaskSpec spec = World::spec();
    spec.prompt = std::string(64 << 10, 'p');
    spec.grants.assign(16, {std::vector<std::string>(128, "files/" + std::string(40, 't')),
                            {},
                            std::string(1 << 10, 'w'),
                            0});
    std::vector<std::string> wanted;
    for (int i = 0; i < 70; ++i) wanted.push_back(world.start(spec)->id.text());
    std::reverse(wanted.begin(), wanted.end());

    std::vector<std::string> found;
    std::size_t pages = 0;
    for (std::string path = "tasks"; !path.empty(); ++pages) {
        const auto answer = world.ask("GET", path);
        ASSERT_EQ(answer.status, 200) << answer.body;
        ASSERT_LE(answer.body.size(), kMaxUpstreamMessageBytes);
        const auto body = json::parse(answer.body, {.bytes_max = kMaxUpstreamMessageBytes});
        ASSERT_TRUE(body) << body.error().message();
        for (const json::Value task : body->root().find("tasks")->elements()) {
            found.emplace_back(task.string("id").value_or(""));
            EXPECT_FALSE(task.find("prompt"));
            EXPECT_EQ(task.string("purpose"), "test");
        }
        const auto next = body->root().string("next");
        path = next ? "tasks?after=" + std::string(*next) : "";
    }
    EXPECT_EQ(found, wanted);
    EXPECT_GT(pages, 1u);
    const auto one = json::parse(world.ask("GET", "tasks/" + found.front()).body);
    ASSERT_TRUE(one);
    EXPECT_EQ(one->root().string("prompt"), spec.prompt);
}

TEST(AdminDesk, RefusesAPageAfterWhatIsNoTask) {
    World world;
    EXPECT_EQ(world.ask("GET", "tasks?after=7").status, 400);
    const auto none = world.ask("GET", "tasks?after=");
    EXPECT_EQ(none.body, R"({"tasks":[]})");
}

TEST(AdminDesk, RefusesAProcessInsideATask) {
    World world;
    const TaskId id = world.start(World::spec())->id;
    world.inside = true;
    EXPECT_EQ(world.ask("GET", "tasks").status, 403);
    EXPECT_EQ(world.ask("POST", "tasks/" + id.text() + "/revoke").status, 403);
}

// What narrows is never in the way of a person; what widens is not for who may be an agent.
TEST(AdminDesk, HearsOnlyWhatNarrowsOfWhoCannotBeLookedAt) {
    World world;
    const TaskId one = world.start(World::spec())->id, two = world.start(World::spec())->id;
    world.inside = fail(ErrorCode::kUnavailable, "no descriptor is left");
    EXPECT_EQ(world.ask("POST", "tasks", World::spec().to_json().dump()).status, 503);
    EXPECT_EQ(world.ask("GET", "tasks").status, 503);
    EXPECT_EQ(world.ask("POST", "tasks/" + one.text() + "/writ").status, 503);
    EXPECT_EQ(world.ask("POST", "reload").status, 503);
    EXPECT_EQ(world.ask("POST", "tasks/" + one.text() + "/revoke").status, 200);
    EXPECT_EQ(world.ask("POST", "tasks/" + two.text() + "/end").status, 200);
    EXPECT_EQ(world.directory.task(one)->state.load(), identity::TaskState::kRevoked);
}

}  // namespace
}  // namespace writ::admin

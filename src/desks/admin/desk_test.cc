// Defends: an operator gets an answer whatever happens to the task meanwhile.
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

TEST(AdminDesk, RefusesAProcessInsideATask) {
    World world;
    const TaskId id = world.start(World::spec())->id;
    world.inside = true;
    EXPECT_EQ(world.ask("GET", "tasks").status, 403);
    EXPECT_EQ(world.ask("POST", "tasks/" + id.text() + "/revoke").status, 403);
}

}  // namespace
}  // namespace writ::admin

// Defends: no other local user takes the gateway's place, and one that runs as its own user is
// believed where only it could have made the socket.
#include "cli/socket_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/temp_dir.h"

namespace writ::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr uid_t kStranger = 4'242'424;

// A folder under `where`, removed with the test.
class Folder : public TempDir {
  public:
    using TempDir::TempDir;
    fs::path socket() const { return path() / "operators.sock"; }
    void mode(mode_t mode) const { EXPECT_EQ(chmod(path().c_str(), mode), 0); }
};

std::string refusal(const Status& status) {
    return status ? "" : std::string(name(status.error().code)) + ": " + status.error().detail;
}

TEST(SocketDir, IsOursOrRootsAndOthersDoNotWriteIt) {
    const Folder folder("/tmp");
    const uid_t us = getuid();
    for (const mode_t good : {0700U, 0750U, 0755U, 01777U, 01770U}) {
        folder.mode(good);
        EXPECT_EQ(refusal(check_socket_dir(folder.path(), us)), "") << std::oct << good;
    }
    for (const mode_t bad : {0777U, 0770U, 0702U}) {
        folder.mode(bad);
        EXPECT_THAT(refusal(check_socket_dir(folder.path(), us)), HasSubstr("chmod go-w"));
    }
    EXPECT_EQ(refusal(check_socket_dir("/", kStranger)), "") << "a folder made for us by root";
    EXPECT_NE(refusal(check_socket_dir(folder.path() / "none", us)), "");
}

TEST(SocketDir, OfAStrangerIsRefused) {
    const Folder folder("/tmp");
    uid_t us = getuid();
    if (us == 0)
        ASSERT_EQ(chown(folder.path().c_str(), kStranger, kStranger), 0);
    else
        us = kStranger;
    EXPECT_THAT(refusal(check_socket_dir(folder.path(), us)),
                ::testing::AllOf(HasSubstr("forbidden: "), HasSubstr("operators_socket")));
    // A link of his leads wherever he likes.
    if (us != 0) return;
    const Folder ours("/tmp");
    const fs::path link = ours.path() / "link";
    fs::create_symlink("/", link);
    EXPECT_EQ(refusal(check_socket_dir(link, us)), "");
    ASSERT_EQ(lchown(link.c_str(), kStranger, kStranger), 0);
    EXPECT_THAT(refusal(check_socket_dir(link, us)), HasSubstr("belongs to uid"));
}

TEST(GatewayPeer, IsRootOrUs) {
    const Folder folder("/tmp");
    EXPECT_EQ(refusal(check_gateway(folder.socket(), 0, kStranger)), "");
    EXPECT_EQ(refusal(check_gateway(folder.socket(), kStranger, kStranger)), "");
    EXPECT_THAT(refusal(check_gateway(folder.socket(), kStranger, kStranger + 1)),
                HasSubstr("uid 4242424 answers on"));
    EXPECT_THAT(refusal(check_gateway(folder.socket(), std::nullopt, 0)), HasSubstr("nobody"));
}

// /tmp/writ-<uid> may be anybody's who came first.
TEST(GatewayPeer, IsNotWhoeverMadeAFolderWhereAllMayWrite) {
    if (getuid() != 0) GTEST_SKIP() << "needs root to give a folder away";
    const Folder folder("/tmp");
    ASSERT_EQ(chown(folder.path().c_str(), kStranger, kStranger), 0);
    EXPECT_NE(refusal(check_gateway(folder.socket(), kStranger, 0)), "");
}

TEST(GatewayPeer, IsTheOwnerOfAFolderThatOnlyHeCouldFill) {
    if (getuid() != 0) GTEST_SKIP() << "needs root to give a folder away";
    const Folder folder("/run");
    folder.mode(0755);
    EXPECT_NE(refusal(check_gateway(folder.socket(), kStranger, 7)), "") << "it is root's";
    ASSERT_EQ(chown(folder.path().c_str(), kStranger, kStranger), 0);
    EXPECT_EQ(refusal(check_gateway(folder.socket(), kStranger, 7)), "");
    EXPECT_NE(refusal(check_gateway(folder.socket(), kStranger + 1, 7)), "");
    folder.mode(0775);
    EXPECT_NE(refusal(check_gateway(folder.socket(), kStranger, 7)), "");
    folder.mode(0755);
    // A stranger's link to a folder that he owns.
    const Folder links("/tmp");
    fs::create_directory_symlink(folder.path(), links.path() / "link");
    EXPECT_NE(refusal(check_gateway(links.path() / "link/operators.sock", kStranger, 7)), "");
}

}  // namespace
}  // namespace writ::cli

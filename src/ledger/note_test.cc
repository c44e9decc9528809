#include "ledger/note.h"

#include <gtest/gtest.h>

#include "ledger/tile.h"
#include "ledger/tree.h"

namespace writ::ledger {
namespace {

// c2sp.org/signed-note.
constexpr const char* kVkey =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

TEST(Note, ReadsThePublishedKeyAndRefusesAnAlteredOne) {
    const auto verifier = NoteVerifier::parse(kVkey);
    ASSERT_TRUE(verifier) << verifier.error().message();
    EXPECT_EQ(verifier->name, "example.com/foo");
    EXPECT_EQ(make_vkey(verifier->name, verifier->key), kVkey);
    for (const char* bad :
         {"", "a", "example.com/foo+530d903a",
          "example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
          "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"})
        EXPECT_FALSE(NoteVerifier::parse(bad)) << bad;
}

class SignedNote : public ::testing::Test {
  protected:
    crypto::Ed25519Key key = crypto::Ed25519Key::generate();
    NoteVerifier verifier = *NoteVerifier::parse(make_vkey("log.test/a", key.public_key()));
    std::string text = checkpoint_text("log.test/a", 7, empty_root());
    std::string note = sign_note(text, "log.test/a", key);
};

TEST_F(SignedNote, RoundTrips) {
    const auto opened = open_note(note, verifier);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(*opened, text);
    const auto body = parse_checkpoint(*opened);
    ASSERT_TRUE(body);
    EXPECT_EQ(body->size, 7u);
    EXPECT_EQ(body->origin, "log.test/a");
}

TEST_F(SignedNote, AnyAlteredByteSinksIt) {
    for (std::size_t i = 0; i < note.size(); ++i) {
        std::string altered = note;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_FALSE(open_note(altered, verifier)) << i;
    }
}

TEST_F(SignedNote, OtherSignersAreIgnoredButDoNotCount) {
    const auto other = crypto::Ed25519Key::generate();
    const std::string foreign = sign_note(text, "witness.test/w", other);
    EXPECT_FALSE(open_note(foreign, verifier)) << "a witness alone is not the log";
    const std::string line = foreign.substr(foreign.rfind("\n\n") + 2);
    EXPECT_TRUE(open_note(note + line, verifier));
    // A line under the log's own name and id that does not verify sinks the note.
    std::string bad = note.substr(note.rfind("\n\n") + 2);
    const auto at = bad.size() - 10;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(open_note(note + bad, verifier));
}

TEST_F(SignedNote, SizesAreCanonical) {
    for (const char* size : {"07", "-1", "+7", " 7", "7 ", "0x7", "", "18446744073709551616"})
        EXPECT_FALSE(
            parse_checkpoint(std::string("o\n") + size + "\n" + to_base64(empty_root()) + "\n"))
            << size;
}

TEST(TilePath, FollowsTheSpecification) {
    EXPECT_EQ(tile_path(0, 1'234'067, 256), "tile/0/x001/x234/067");
    EXPECT_EQ(tile_path(1, 0, 5), "tile/1/000.p/5");
    EXPECT_EQ(bundle_path(1000, 255), "tile/entries/x001/000.p/255");
}

TEST(Bundle, RoundTripsAndRefusesTruncation) {
    std::string bundle;
    append_entry(bundle, "a");
    append_entry(bundle, std::string(65'535, 'b'));
    const auto split = split_bundle(bundle, 2);
    ASSERT_TRUE(split);
    EXPECT_EQ((*split)[1].size(), 65'535u);
    for (std::size_t cut :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{4}, bundle.size() - 1})
        EXPECT_FALSE(split_bundle(std::string_view(bundle).substr(0, cut), 2)) << cut;
}

}  // namespace
}  // namespace writ::ledger

// A folder for one test.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "base/check.h"

namespace writ {

// A new, empty folder only we may enter (mode 0700), removed with all that is in it when this goes.
class TempDir {
  public:
    explicit TempDir(const std::filesystem::path& under = std::filesystem::temp_directory_path()) {
        std::string name = (under / "writ-XXXXXX").string();
        WRIT_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    // Never throws. A process that is just ending may still make a file while its folder is
    // removed: then it is looked through again, for at most a second.
    ~TempDir() {
        std::error_code error;
        for (int turn = 0; turn < 100; ++turn) {
            std::filesystem::remove_all(path_, error);
            if (error != std::errc::directory_not_empty) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }

    const std::filesystem::path& path() const { return path_; }
    // Where the file `name` is, or would be.
    std::string file(std::string_view name) const { return (path_ / name).string(); }
    // What is in it; nothing where it does not exist.
    std::string read(std::string_view name) const {
        std::ifstream in(path_ / name, std::ios::binary);
        std::stringstream out;
        out << in.rdbuf();
        return out.str();
    }

  private:
    std::filesystem::path path_;
};

}  // namespace writ

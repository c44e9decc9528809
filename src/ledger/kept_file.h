// A small file that this process writes whole and nobody else may change: it remembers what it
// wrote, so that a change or removal under it is noticed and put back. Inner header of the room.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "ledger/file.h"

namespace writ::ledger {

class KeptFile {
  public:
    KeptFile(std::filesystem::path path, mode_t mode, Disk& disk)
        : path_(std::move(path)), mode_(mode), disk_(disk) {}
    const std::filesystem::path& path() const { return path_; }
    // Replaces the file, durable when this returns. Thread: any.
    Status write(std::string bytes);
    // False: the file was not what write() left, and was put back. True also before the first
    // write(). Errors: of the disk. Thread: any.
    Result<bool> restore();

  private:
    const std::filesystem::path path_;
    const mode_t mode_;
    Disk& disk_;
    std::mutex mutex_;  // guards written_; held while the file is replaced or compared
    std::string written_;
};

}  // namespace writ::ledger

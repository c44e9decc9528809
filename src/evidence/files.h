// Small files written so that a crash leaves the old one or the new one, and descriptors that close
// themselves.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/fd.h"

namespace writ::evidence {

// Makes `dir` (mode 0700) with its parents. Errors: kIo.
Status make_private_dir(const std::filesystem::path& dir);
// All of `bytes` at `offset`. Errors: kIo.
Status write_at(int fd, ByteView bytes, std::uint64_t offset);
// Exactly out.size() bytes at `offset`; false at a short end. Errors: kIo.
Result<bool> read_at(int fd, std::span<std::uint8_t> out, std::uint64_t offset);
// Replaces `file` (mode 0600) atomically and durably. Errors: kIo.
Status replace_file(const std::filesystem::path& file, ByteView bytes);
// Makes entries of `dir` durable. Errors: kIo.
Status sync_dir(const std::filesystem::path& dir);

}  // namespace writ::evidence

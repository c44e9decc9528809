// Bytes of one kind that all connections of one server may keep in memory together. Inner header
// of the room.
#pragma once

#include <cstddef>
#include <memory>

#include "base/seldom.h"

namespace writ::net {

// Thread: the reactor's.
struct Budget {
    std::size_t used = 0;
    const std::size_t max;
    Seldom refusals{};  // told of in the log
};

// A part of a Budget, given back at the end of its scope.
class Charge {
  public:
    // `of` outlives it until something is taken.
    explicit Charge(const std::shared_ptr<Budget>& of) : of_(of) {}
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    ~Charge() {
        if (held_) held_->used -= bytes_;
    }
    // Once. False: that is too much.
    bool take(std::size_t bytes) {
        if (bytes > of_->max - of_->used) return false;
        held_ = of_;
        held_->used += bytes_ = bytes;
        return true;
    }

  private:
    const std::shared_ptr<Budget>& of_;
    std::shared_ptr<Budget> held_;
    std::size_t bytes_ = 0;
};

}  // namespace writ::net

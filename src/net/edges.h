// Edge-triggered readiness for the descriptors whose readers take everything that is there: an
// epoll set of our own inside Asio's, so that waiting costs no system call each time. Asio is asked
// once a pass of the loop whether anything in the set is ready. Inner header of the room.
// Thread: the reactor's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/error.h"

namespace writ::net {

class Poll;
class Rounds;

class Edges {
  public:
    Edges(boost::asio::io_context& io, Rounds& rounds) : io_(io), rounds_(rounds) {}
    Edges(const Edges&) = delete;
    Edges& operator=(const Edges&) = delete;

    // Has Poll::on_edge() called for `poll` whenever `fd` becomes readable or writable, until
    // remove() of the number returned. Errors: kIo.
    Result<std::uint32_t> add(int fd, Poll* poll);
    void remove(int fd, std::uint32_t number);
    // Delivers nothing more. Before the end of Asio's loop.
    void close() { set_.reset(); }

  private:
    Status open();
    void arm();
    void deliver();

    boost::asio::io_context& io_;
    Rounds& rounds_;
    std::optional<boost::asio::posix::stream_descriptor> set_;
    std::vector<Poll*> polls_;  // by number; null: removed
    // Numbers to be used again: at once, and after the events at hand, which may still name them.
    std::vector<std::uint32_t> free_, freed_;
};

}  // namespace writ::net

// The last descriptors that this process may open are kept for people: whoever stops what runs must
// be heard however many connections others hold. An HttpServer takes them for connections over unix
// sockets only, where the kernel says who comes; beyond them, over TCP, an idle connection gives
// way for the new one, or the new one gets a 503.
#pragma once

namespace writ::net {

// A few people, and what their requests open.
inline constexpr int kKeptDescriptors = 16;

// Whether `fd` is one of them (the kernel gives out the lowest free number). Thread: any.
bool is_kept_descriptor(int fd);

}  // namespace writ::net

// The last descriptors that this process may open are kept for people: whoever stops what runs must
// be heard however many connections others hold. An HttpServer takes them for connections over unix
// sockets only, where the kernel says who comes; beyond them, over TCP, an idle connection gives
// way for the new one, or the new one gets a 503. Connections that this process makes, and children
// that it starts, fail with kExhausted instead of taking one.
#pragma once

#include <sys/resource.h>

namespace writ::net {

// A few people, and what their requests open.
inline constexpr int kKeptDescriptors = 16;

// Whether `fd` is one of them (the kernel gives out the lowest free number). Thread: any.
bool is_kept_descriptor(int fd);

// Lets this process open as many descriptors as its hard limit says. Programs that use select(2)
// rely on the soft one: children get it back (start_child). To be called before threads are made.
void raise_descriptor_limit();

// What raise_descriptor_limit() found; null where it has changed nothing. Thread: any.
const rlimit* descriptor_limit_before();

}  // namespace writ::net

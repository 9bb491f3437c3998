// Pipes: a ring of one page between a reading and a writing end (the book's pipe.c).
#pragma once

#include "fs/inode.h"
#include "hal/memory.h"

constexpr u32 PIPE_SIZE = PAGE_SIZE;  // bytes; a write of up to this size is never divided

struct pipe_ring {
  std::span<byte> page;  // empty: the slot is free
  u32 head = 0;          // bytes ever written
  u32 tail = 0;          // bytes ever read
  bool has_reader = false;
  bool has_writer = false;
  wait_queue changed;
};

// Copies the bytes in the ring, at most to.size(); sleeps interruptibly only while there are none.
// Returns the count; 0 when the ring is empty and the writing end is closed. Errors: eintr, eagain
// (o_nonblock in `flags`).
result<u32> read_pipe(m_inode& inode, u32 flags, std::span<byte> to);
// Copies all of `from` into the ring; sleeps interruptibly while it is full. Returns the count,
// short when an error came after the first bytes. Errors: epipe when the reading end is closed (the
// system call sends SIGPIPE), eintr, eagain.
result<u32> write_pipe(m_inode& inode, u32 flags, std::span<const byte> from);
// Closes one end and wakes the tasks at the other. Never sleeps, like all below.
void close_pipe_end(m_inode& inode, bool writing);
// A pipe inode with both ends open. Errors: enfile, enomem.
result<inode_ref> get_pipe_inode();
void free_pipe(m_inode& inode);        // called by iput for the last reference
u32 pipe_bytes(const m_inode& inode);  // bytes that wait in the ring

// Pipes: a ring of one page between a reading and a writing end (the book's pipe.c).
#pragma once

#include "fs/inode.h"
#include "hal/memory.h"

constexpr u32 PIPE_SIZE = PAGE_SIZE;  // writes up to this size are not mixed with others'

struct pipe_ring {
  std::span<byte> page;  // empty: the slot is free
  u32 head = 0;          // bytes ever written
  u32 tail = 0;          // bytes ever read
  bool has_reader = false;
  bool has_writer = false;
  wait_queue changed;
};

// read returns what is there, waiting only for the first byte; 0 when the last writer has gone.
result<u32> read_pipe(m_inode& inode, u32 flags, std::span<byte> to);
// epipe when nobody reads (the system call sends SIGPIPE).
result<u32> write_pipe(m_inode& inode, u32 flags, std::span<const byte> from);
// One end is closed.
void close_pipe_end(m_inode& inode, bool writing);
// A pipe inode with both ends open. Errors: enfile, enomem.
result<inode_ref> get_pipe_inode();
void free_pipe(m_inode& inode);  // by iput
u32 pipe_bytes(const m_inode& inode);

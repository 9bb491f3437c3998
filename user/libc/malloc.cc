// malloc and free: one list of free blocks in address order, first fit, neighbours joined on free.
// Memory comes from the kernel by brk and goes to the program's end.
//
// A block is a header and what follows it; sizes are in bytes, the header included, multiples of
// the header's size, so that everything stays 8-byte aligned.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/libc/syscall.h"

namespace {

struct block {
  size_t size;
  block* next;  // while it is free
};
static_assert(sizeof(block) == 8);

constexpr size_t LEAST_FROM_KERNEL = 4096;

block* first_free;
char* program_break;

char* end_of(block* b) { return reinterpret_cast<char*>(b) + b->size; }

void join_with_next(block* b) {
  if (!b->next || end_of(b) != reinterpret_cast<char*>(b->next)) return;
  b->size += b->next->size;
  b->next = b->next->next;
}

void insert_free(block* b) {
  block* before = nullptr;
  block** link = &first_free;
  while (*link && *link < b) {
    before = *link;
    link = &before->next;
  }
  b->next = *link;
  *link = b;
  join_with_next(b);
  if (before) join_with_next(before);
}

bool more_from_kernel(size_t size) {
  size = (size + LEAST_FROM_KERNEL - 1) & ~(LEAST_FROM_KERNEL - 1);
  void* memory = sbrk(static_cast<int>(size));
  if (memory == reinterpret_cast<void*>(-1)) return false;
  auto* fresh = static_cast<block*>(memory);
  fresh->size = size;
  insert_free(fresh);
  return true;
}

block* take_first_fit(size_t size) {
  for (block** link = &first_free; *link; link = &(*link)->next) {
    block* found = *link;
    if (found->size < size) continue;
    if (found->size > size) {
      auto* rest = reinterpret_cast<block*>(reinterpret_cast<char*>(found) + size);
      *rest = {found->size - size, found->next};
      found->size = size;
      *link = rest;
    } else {
      *link = found->next;
    }
    return found;
  }
  return nullptr;
}

}  // namespace

int brk(void* end) {
  program_break = reinterpret_cast<char*>(raw_system_call(abi::syscall::brk, to_register(end)));
  if (program_break >= end) return 0;
  errno = ENOMEM;
  return -1;
}

void* sbrk(int increment) {
  if (!program_break) brk(nullptr);
  char* const old = program_break;
  return brk(old + increment) < 0 ? reinterpret_cast<void*>(-1) : old;
}

void* malloc(size_t size) {
  if (size > INT32_MAX / 2) {
    errno = ENOMEM;
    return nullptr;
  }
  const size_t whole = (size + 2 * sizeof(block) - 1) & ~(sizeof(block) - 1);
  block* found = take_first_fit(whole);
  if (!found && more_from_kernel(whole)) found = take_first_fit(whole);
  return found ? found + 1 : nullptr;
}

void free(void* memory) {
  if (memory) insert_free(static_cast<block*>(memory) - 1);
}

void* calloc(size_t count, size_t size) {
  if (size && count > INT32_MAX / size) return nullptr;
  void* memory = malloc(count * size);
  return memory ? memset(memory, 0, count * size) : nullptr;
}

void* realloc(void* memory, size_t size) {
  if (!memory) return malloc(size);
  const size_t room = (static_cast<block*>(memory) - 1)->size - sizeof(block);
  if (size <= room) return memory;
  void* larger = malloc(size);
  if (!larger) return nullptr;
  memcpy(larger, memory, room);
  free(memory);
  return larger;
}

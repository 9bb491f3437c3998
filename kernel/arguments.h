// arguments: argv and envp on their way from the old program to the new one's stack.
//
// The new stack is built in another address space than the texts stand in, so they are copied into
// pages of the kernel in between: NUL-terminated, one behind the other, arguments first.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "hal/memory.h"
#include "lib/result.h"
#include "lib/user_ptr.h"

class argument_block {
 public:
  // Texts and pointers together (the book: MAX_ARG_PAGES 32).
  static constexpr u32 MAX_PAGES = 32;

  argument_block() = default;
  argument_block(const argument_block&) = delete;
  argument_block& operator=(const argument_block&) = delete;
  ~argument_block();

  // Errors: e2big, enomem.
  result<void> add_argument(std::string_view text);
  result<void> add_environment(std::string_view text);
  // Every text of a null-terminated vector in user memory, from its `first` on; a null vector is
  // empty. Errors: efault too. May sleep.
  result<void> add_arguments(user_ptr vector, u32 first = 0);
  result<void> add_environments(user_ptr vector);

  // Bytes that all texts and pointers need on the stack.
  u32 stack_size() const;
  // Builds it in the current address space so that it ends at `top`: argc, argv, null, envp, null
  // and an empty auxiliary vector (System V i386 ABI, 3-28). Returns the stack pointer. Errors:
  // efault, enomem.
  result<u32> build(u32 top) const;

 private:
  result<void> add(std::string_view text);
  u32 nr_words() const { return 1 + argc_ + 1 + envc_ + 1 + 2; }

  std::array<std::span<byte>, MAX_PAGES> pages_{};
  u32 length_ = 0;
  u32 argc_ = 0, envc_ = 0;
};

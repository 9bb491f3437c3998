// Collecting a new program's arguments and building its first stack: see arguments.h.
#include "kernel/arguments.h"

#include <algorithm>
#include <cstring>

#include "kernel/user_memory.h"

namespace {
constexpr u32 MAX_BYTES = argument_block::MAX_PAGES * PAGE_SIZE;
constexpr u32 STACK_ALIGNMENT = 16;
}  // namespace

argument_block::~argument_block() {
  for (const std::span<byte> page : pages_)
    if (!page.empty()) free_pages(page);
}

// The text and its NUL, page by page; a fresh page is all zeros, so the NUL is there already.
result<void> argument_block::add(std::string_view text) {
  const u32 size = static_cast<u32>(text.size()) + 1;
  const u32 pointers = nr_words() * u32{sizeof(u32)} + STACK_ALIGNMENT;
  if (length_ + size + pointers > MAX_BYTES) return fail(error::e2big);
  for (u32 done = 0; done < size;) {
    std::span<byte>& page = pages_[length_ / PAGE_SIZE];
    if (page.empty()) page = allocate_pages(1);
    if (page.empty()) return fail(error::enomem);
    const u32 piece = std::min(size - done, PAGE_SIZE - length_ % PAGE_SIZE);
    const u32 letters = std::min(piece, static_cast<u32>(text.size()) - done);
    std::memcpy(page.data() + length_ % PAGE_SIZE, text.data() + done, letters);
    done += piece;
    length_ += piece;
  }
  return {};
}

result<void> argument_block::add_argument(std::string_view text) {
  TRY(add(text));
  ++argc_;
  return {};
}

result<void> argument_block::add_environment(std::string_view text) {
  TRY(add(text));
  ++envc_;
  return {};
}

namespace {

// The text that element `index` of a vector in user memory points to; null data at the vector's
// end.
result<std::string_view> element(user_ptr vector, u32 index) {
  const user_ptr text(vector ? TRY(get_user<u32>(vector + index * u32{sizeof(u32)})) : 0);
  if (!text) return std::string_view{};
  return user_text(text, MAX_BYTES, error::e2big);
}

}  // namespace

result<void> argument_block::add_arguments(user_ptr vector, u32 first) {
  for (u32 i = 0;; ++i) {
    const std::string_view text = TRY(element(vector, i));
    if (!text.data()) return {};
    if (i >= first) TRY(add_argument(text));
  }
}

result<void> argument_block::add_environments(user_ptr vector) {
  for (u32 i = 0;; ++i) {
    const std::string_view text = TRY(element(vector, i));
    if (!text.data()) return {};
    TRY(add_environment(text));
  }
}

u32 argument_block::stack_size() const {
  return length_ + nr_words() * u32{sizeof(u32)} + STACK_ALIGNMENT;
}

result<u32> argument_block::build(u32 top) const {
  const u32 texts = top - length_;
  const u32 stack = (texts - nr_words() * u32{sizeof(u32)}) & ~(STACK_ALIGNMENT - 1);
  byte* const to = TRY(user_span(user_ptr(texts), length_, true)).data();
  for (u32 done = 0; done < length_; done += PAGE_SIZE)
    std::memcpy(to + done, pages_[done / PAGE_SIZE].data(), std::min(length_ - done, PAGE_SIZE));

  u32* word = reinterpret_cast<u32*>(
      TRY(user_span(user_ptr(stack), nr_words() * u32{sizeof(u32)}, true)).data());
  u32 text = texts;
  const auto point_to = [&](u32 count) {
    for (; count > 0; --count) {
      *word++ = text;
      text += static_cast<u32>(std::strlen(reinterpret_cast<const char*>(text))) + 1;
    }
    *word++ = 0;
  };
  *word++ = argc_;
  point_to(argc_);
  point_to(envc_);
  *word++ = 0;  // AT_NULL
  *word++ = 0;
  return stack;
}

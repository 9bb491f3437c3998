// The functions of text that are longer than a line.
#include <text.h>

text& text::add(std::string_view more) {
  make_room(size_ + more.size());
  memcpy(characters_ + size_, more.data(), more.size());
  cut(size_ + more.size());
  return *this;
}

void text::insert(size_t at, char c) {
  make_room(size_ + 1);
  memmove(characters_ + at + 1, characters_ + at, size_ - at);
  characters_[at] = c;
  cut(size_ + 1);
}

void text::erase(size_t at, size_t count) {
  memmove(characters_ + at, characters_ + at + count, size_ - at - count);
  cut(size_ - count);
}

void text::cut(size_t size) {
  size_ = size;
  if (characters_) characters_[size] = '\0';
}

void text::swap(text& other) {
  std::swap(characters_, other.characters_);
  std::swap(size_, other.size_);
  std::swap(room_, other.room_);
}

void text::make_room(size_t size) {
  if (size < room_) return;
  room_ = 2 * size < 16 ? 16 : 2 * size;
  char* larger = static_cast<char*>(operator new(room_));
  if (characters_) memcpy(larger, characters_, size_);
  operator delete(characters_);
  characters_ = larger;
}

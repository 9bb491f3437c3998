#include "kernel/options.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace {

std::array<char, 1024> storage;
std::string_view options;

constexpr std::string_view blanks = " \t";

// Takes the first word off the text.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

void set_boot_options(std::string_view command_line) {
  const size_t length = std::min(command_line.size(), storage.size() - 1);
  std::ranges::copy(command_line.substr(0, length), storage.begin());
  options = {storage.data(), length};
}

std::optional<std::string_view> boot_option(std::string_view key) {
  std::optional<std::string_view> found;
  std::string_view rest = options;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    const size_t equals = word.find('=');
    if (word.substr(0, equals) != key) continue;
    found = equals == word.npos ? std::string_view{} : word.substr(equals + 1);
  }
  return found;
}

std::optional<u32> boot_option_number(std::string_view key) {
  const auto text = boot_option(key);
  if (!text || text->empty()) return std::nullopt;
  u32 value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (problem != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return value;
}

#include "lib/format.h"

#include <algorithm>

namespace {

// Where the characters go: all are counted, those for which there is room are kept.
class output {
 public:
  explicit output(std::span<char> to) : to_(to) {}
  void put(char c) {
    if (length_ + 1 < to_.size()) to_[length_] = c;
    ++length_;
  }
  void fill(char c, int count) {
    for (; count > 0; --count) put(c);
  }
  size_t finish() {
    if (!to_.empty()) to_[std::min(length_, to_.size() - 1)] = '\0';
    return length_;
  }

 private:
  std::span<char> to_;
  size_t length_ = 0;
};

struct conversion {
  bool left = false;
  bool zero = false;
  bool plus = false;
  int width = 0;
  int precision = -1;
  int length = 0;  // -2 hh, -1 h, 0 int, 1 long or size_t, 2 long long
  char type = 0;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int read_number(const char*& at, std::va_list* arguments) {
  if (*at == '*') {
    ++at;
    return va_arg(*arguments, int);
  }
  int number = 0;
  for (; is_digit(*at); ++at) number = number * 10 + (*at - '0');
  return number;
}

conversion read_conversion(const char*& at, std::va_list* arguments) {
  conversion c;
  for (;; ++at) {
    if (*at == '-')
      c.left = true;
    else if (*at == '0')
      c.zero = true;
    else if (*at == '+')
      c.plus = true;
    else
      break;
  }
  c.width = read_number(at, arguments);
  if (c.width < 0) {
    c.left = true;
    c.width = -c.width;
  }
  if (*at == '.') c.precision = read_number(++at, arguments);
  for (; *at == 'l' || *at == 'h' || *at == 'z'; ++at) c.length += *at == 'h' ? -1 : 1;
  c.type = *at;
  if (c.type) ++at;
  return c;
}

i64 signed_argument(const conversion& c, std::va_list* arguments) {
  if (c.length >= 2) return va_arg(*arguments, long long);
  if (c.length == 1) return va_arg(*arguments, long);
  const int value = va_arg(*arguments, int);
  return c.length == 0 ? value : c.length == -1 ? static_cast<i16>(value) : static_cast<i8>(value);
}

u64 unsigned_argument(const conversion& c, std::va_list* arguments) {
  if (c.length >= 2) return va_arg(*arguments, unsigned long long);
  if (c.length == 1) return va_arg(*arguments, unsigned long);
  const unsigned value = va_arg(*arguments, unsigned);
  return c.length == 0 ? value : c.length == -1 ? static_cast<u16>(value) : static_cast<u8>(value);
}

void put_padded(output& out, const conversion& c, std::string_view sign, std::string_view body,
                int zeros) {
  int pad = c.width - static_cast<int>(sign.size() + body.size()) - std::max(zeros, 0);
  if (!c.left && !c.zero) out.fill(' ', pad);
  for (char ch : sign) out.put(ch);
  if (!c.left && c.zero) out.fill('0', pad);
  out.fill('0', zeros);
  for (char ch : body) out.put(ch);
  if (c.left) out.fill(' ', pad);
}

void put_number(output& out, conversion c, bool negative, u64 value, unsigned base) {
  const char* digits = c.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
  char buffer[24];
  char* first = buffer + sizeof buffer;
  // As in C, a precision of 0 shows nothing of a 0.
  for (bool begun = c.precision == 0; value != 0 || !begun; value /= base, begun = true)
    *--first = digits[value % base];
  const std::string_view body(first, static_cast<size_t>(buffer + sizeof buffer - first));
  if (c.precision >= 0) c.zero = false;
  put_padded(out, c,
             negative        ? "-"
             : c.plus        ? "+"
             : c.type == 'p' ? "0x"
                             : "",
             body, c.precision - static_cast<int>(body.size()));
}

void put_string(output& out, conversion c, const char* s) {
  if (!s) s = "(null)";
  const size_t most = c.precision < 0 ? SIZE_MAX : static_cast<size_t>(c.precision);
  size_t length = 0;
  while (length < most && s[length]) ++length;
  c.zero = false;
  put_padded(out, c, "", {s, length}, 0);
}

void put_conversion(output& out, conversion c, std::va_list* arguments) {
  switch (c.type) {
    case 'd':
    case 'i': {
      const i64 value = signed_argument(c, arguments);
      const u64 magnitude = value < 0 ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
      return put_number(out, c, value < 0, magnitude, 10);
    }
    case 'u': c.plus = false; return put_number(out, c, false, unsigned_argument(c, arguments), 10);
    case 'x':
    case 'X': c.plus = false; return put_number(out, c, false, unsigned_argument(c, arguments), 16);
    case 'o': c.plus = false; return put_number(out, c, false, unsigned_argument(c, arguments), 8);
    case 'p':
      return put_number(out, c, false, reinterpret_cast<uintptr_t>(va_arg(*arguments, void*)), 16);
    case 'c': {
      const char ch = static_cast<char>(va_arg(*arguments, int));
      c.zero = false;
      return put_padded(out, c, "", {&ch, 1}, 0);
    }
    case 's': return put_string(out, c, va_arg(*arguments, const char*));
    case '%': return out.put('%');
    default:
      out.put('%');
      if (c.type) out.put(c.type);
  }
}

}  // namespace

size_t format_to(std::span<char> to, const char* format, std::va_list arguments) {
  output out(to);
  std::va_list copy;
  va_copy(copy, arguments);
  while (*format) {
    if (*format != '%') {
      out.put(*format++);
      continue;
    }
    const conversion c = read_conversion(++format, &copy);
    put_conversion(out, c, &copy);
  }
  va_end(copy);
  return out.finish();
}

size_t format(std::span<char> to, const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const size_t length = format_to(to, format, arguments);
  va_end(arguments);
  return length;
}

void text_sink::print(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const size_t room = to_.size() - length_;
  const size_t length = format_to(to_.subspan(length_), format, arguments);
  va_end(arguments);
  if (room > 0) length_ += std::min(length, room - 1);
}

// cksum: POSIX's checksum, and the length, of files.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <tool.h>
#include <unistd.h>

namespace {

constexpr uint32_t POLYNOMIAL = 0x04c11db7;
uint32_t table[256];

void make_table() {
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t remainder = n << 24;
    for (int bit = 0; bit < 8; ++bit)
      remainder = remainder << 1 ^ (remainder >> 31 ? POLYNOMIAL : 0);
    table[n] = remainder;
  }
}

uint32_t add(uint32_t crc, unsigned char byte) { return crc << 8 ^ table[crc >> 24 ^ byte]; }

int sum(int fd, const char* name, bool with_name) {
  static unsigned char buffer[8192];
  uint32_t crc = 0, length = 0;
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tool::complain(name);
    if (count == 0) break;
    for (ssize_t n = 0; n < count; ++n) crc = add(crc, buffer[n]);
    length += static_cast<uint32_t>(count);
  }
  for (uint32_t rest = length; rest; rest >>= 8) crc = add(crc, rest & 0xff);
  printf(with_name ? "%u %u %s\n" : "%u %u\n", ~crc, length, name);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "[FILE]...\nPrints checksum (POSIX CRC) and length of files.");
  make_table();
  if (argc == 1) return tool::end(sum(0, "standard input", false));
  int status = 0;
  for (int n = 1; n < argc; ++n) {
    const int fd = open(argv[n], O_RDONLY);
    status |= fd < 0 ? tool::complain(argv[n]) : sum(fd, argv[n], true);
    if (fd >= 0) close(fd);
  }
  return tool::end(status);
}

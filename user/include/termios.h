// The terminal's modes: line by line with echo (canonical), or every key at once.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

constexpr int NCCS = 19;

struct termios {
  uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
  uint8_t c_line;
  uint8_t c_cc[NCCS];
};
static_assert(sizeof(struct termios) == sizeof(abi::termios));

constexpr uint32_t ICRNL = abi::tty_icrnl, OPOST = abi::tty_opost, ONLCR = abi::tty_onlcr,
                   ISIG = abi::tty_isig, ICANON = abi::tty_icanon, ECHO = abi::tty_echo,
                   ECHOE = abi::tty_echoe, TOSTOP = abi::tty_tostop;
constexpr int VINTR = abi::cc_intr, VQUIT = abi::cc_quit, VERASE = abi::cc_erase,
              VKILL = abi::cc_kill, VEOF = abi::cc_eof, VTIME = abi::cc_time, VMIN = abi::cc_min,
              VSUSP = abi::cc_susp;
constexpr int TCSANOW = 0, TCSADRAIN = 1, TCSAFLUSH = 2;

extern "C" {
int tcgetattr(int fd, struct termios* to);
int tcsetattr(int fd, int when, const struct termios* from);
pid_t tcgetpgrp(int fd);
int tcsetpgrp(int fd, pid_t group);
}

// Commands to devices; here, to terminals.
#pragma once

#include "lib/abi.h"

constexpr unsigned TIOCGPGRP = abi::tiocgpgrp, TIOCSPGRP = abi::tiocspgrp,
                   TIOCGWINSZ = abi::tiocgwinsz;

struct winsize {
  unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};
static_assert(sizeof(winsize) == sizeof(abi::winsize));

extern "C" int ioctl(int fd, unsigned command, void* argument);

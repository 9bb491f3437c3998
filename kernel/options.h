// Boot options: the words behind the kernel's name on the boot loader's command line
// (`qemu -append "hold=60 buffers=64"`), each `key=value` or a bare `key`.
#pragma once

#include <optional>
#include <string_view>

#include "lib/types.h"

// Keeps a copy of the command line. Text behind the first 1023 characters is ignored.
void set_boot_options(std::string_view command_line);

// The value of the last `key=value`, empty for a bare `key`; nothing when the key does not appear.
std::optional<std::string_view> boot_option(std::string_view key);
// The value as a decimal number; nothing when it is absent or no number.
std::optional<u32> boot_option_number(std::string_view key);

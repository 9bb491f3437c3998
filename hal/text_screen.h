// The memory of the VGA's text screen: one cell a character, its code below, its colours above.
#pragma once

#include <span>

#include "lib/types.h"

constexpr u32 screen_rows = 25, screen_columns = 80;

std::span<u16, screen_rows * screen_columns> text_screen();

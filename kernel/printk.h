// The ring that printk (hal/log.h) keeps, for `dmesg`.
#pragma once

#include <string_view>

#include "lib/format.h"

// Appends the log's newest text, as much as fits, each line with the time it was written at.
void print_log(text_sink& out);

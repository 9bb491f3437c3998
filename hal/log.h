// printk: messages of the kernel. The text goes to every console and into the ring that `dmesg`
// reads.
#pragma once

// Never sleeps; callable from interrupt handlers. For the conversions see lib/format.h.
void printk(const char* format, ...) __attribute__((format(printf, 1, 2)));

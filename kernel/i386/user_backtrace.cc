#include "kernel/i386/backtrace.h"
#include "hal/log.h"
void print_user_backtrace(const trap_frame&) {}

#include "hal/log.h"
#include "kernel/i386/backtrace.h"
void print_user_backtrace(const trap_frame&) {}

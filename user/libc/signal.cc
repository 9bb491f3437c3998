// Signals. A handler returns into the restorer below, which asks the kernel to put everything back.
#include <signal.h>
#include <unistd.h>

#include "user/libc/syscall.h"

extern "C" void signal_restorer();

// On the stack stands the signal's number, and above it what sigreturn reads.
asm(R"(
  .section .text.signal_restorer, "ax"
  .globl signal_restorer
  .type signal_restorer, @function
signal_restorer:
  pop %eax
  mov $119, %eax
  int $0x80
  .size signal_restorer, . - signal_restorer
  .previous
)");
static_assert(static_cast<int>(abi::syscall::sigreturn) == 119);

int sigaction(int signal_nr, const struct sigaction* action, struct sigaction* old) {
  struct sigaction with_restorer;
  if (action) {
    with_restorer = *action;
    with_restorer.sa_flags |= abi::sa_restorer;
    with_restorer.sa_restorer = signal_restorer;
    action = &with_restorer;
  }
  return system_call(abi::syscall::sigaction, signal_nr, action, old);
}

sighandler_t signal(int signal_nr, sighandler_t handler) {
  const struct sigaction action = {handler, 0, SA_RESETHAND | SA_NODEFER, nullptr};
  struct sigaction old;
  return sigaction(signal_nr, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

int sigprocmask(int how, const sigset_t* set, sigset_t* old) {
  return system_call(abi::syscall::sigprocmask, how, set, old);
}

int sigpending(sigset_t* set) { return system_call(abi::syscall::sigpending, set); }

int kill(pid_t pid, int signal_nr) { return system_call(abi::syscall::kill, pid, signal_nr); }
int raise(int signal_nr) { return kill(getpid(), signal_nr); }

const char* strsignal(int signal_nr) {
  switch (signal_nr) {
    case SIGHUP: return "Hangup";
    case SIGINT: return "Interrupt";
    case SIGQUIT: return "Quit";
    case SIGILL: return "Illegal instruction";
    case SIGTRAP: return "Trap";
    case SIGABRT: return "Aborted";
    case SIGBUS: return "Bus error";
    case SIGFPE: return "Arithmetic error";
    case SIGKILL: return "Killed";
    case SIGUSR1: return "User signal 1";
    case SIGSEGV: return "Segmentation fault";
    case SIGUSR2: return "User signal 2";
    case SIGPIPE: return "Broken pipe";
    case SIGALRM: return "Alarm";
    case SIGTERM: return "Terminated";
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return "Stopped";
    default: return "Signal";
  }
}

// Signals.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

constexpr int SIGHUP = abi::sighup, SIGINT = abi::sigint, SIGQUIT = abi::sigquit,
              SIGILL = abi::sigill, SIGTRAP = abi::sigtrap, SIGABRT = abi::sigabrt,
              SIGBUS = abi::sigbus, SIGFPE = abi::sigfpe, SIGKILL = abi::sigkill,
              SIGUSR1 = abi::sigusr1, SIGSEGV = abi::sigsegv, SIGUSR2 = abi::sigusr2,
              SIGPIPE = abi::sigpipe, SIGALRM = abi::sigalrm, SIGTERM = abi::sigterm,
              SIGCHLD = abi::sigchld, SIGCONT = abi::sigcont, SIGSTOP = abi::sigstop,
              SIGTSTP = abi::sigtstp, SIGTTIN = abi::sigttin, SIGTTOU = abi::sigttou,
              SIGURG = abi::sigurg, SIGWINCH = abi::sigwinch, NSIG = abi::nsig;
constexpr int SIG_BLOCK = abi::sig_block, SIG_UNBLOCK = abi::sig_unblock,
              SIG_SETMASK = abi::sig_setmask;
constexpr unsigned SA_NOCLDSTOP = abi::sa_nocldstop, SA_RESTART = abi::sa_restart,
                   SA_NODEFER = abi::sa_nodefer, SA_RESETHAND = abi::sa_resethand;

using sighandler_t = void (*)(int);
using sigset_t = uint32_t;
inline const sighandler_t SIG_DFL = nullptr;
inline const sighandler_t SIG_IGN = reinterpret_cast<sighandler_t>(abi::sig_ign);
inline const sighandler_t SIG_ERR = reinterpret_cast<sighandler_t>(-1);

struct sigaction {
  sighandler_t sa_handler;
  sigset_t sa_mask;
  uint32_t sa_flags;
  void (*sa_restorer)();  // set by the libc
};
static_assert(sizeof(struct sigaction) == sizeof(abi::sigaction));

extern "C" {
// As in the book: the handler is called once, and re-installs itself if it wants more.
sighandler_t signal(int signal_nr, sighandler_t handler);
int sigaction(int signal_nr, const struct sigaction* action, struct sigaction* old);
int sigprocmask(int how, const sigset_t* set, sigset_t* old);
int sigpending(sigset_t* set);
int kill(pid_t pid, int signal_nr);
int raise(int signal_nr);
const char* strsignal(int signal_nr);
}

constexpr sigset_t signal_bit(int signal_nr) { return 1u << (signal_nr - 1); }
inline int sigemptyset(sigset_t* set) { return static_cast<int>(*set = 0); }
inline int sigaddset(sigset_t* set, int signal_nr) {
  *set |= signal_bit(signal_nr);
  return 0;
}

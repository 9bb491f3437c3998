// Waiting for children, and reading what they ended with.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

constexpr int WNOHANG = abi::wnohang, WUNTRACED = abi::wuntraced;

constexpr bool WIFEXITED(int status) { return (status & 0x7f) == 0; }
constexpr int WEXITSTATUS(int status) { return status >> 8 & 0xff; }
constexpr bool WIFSTOPPED(int status) { return (status & 0xff) == 0x7f; }
constexpr int WSTOPSIG(int status) { return WEXITSTATUS(status); }
constexpr bool WIFSIGNALED(int status) { return !WIFEXITED(status) && !WIFSTOPPED(status); }
constexpr int WTERMSIG(int status) { return status & 0x7f; }

extern "C" {
pid_t wait(int* status);
pid_t waitpid(pid_t pid, int* status, int options);
}

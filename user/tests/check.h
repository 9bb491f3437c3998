// check: how a test program that runs under the kernel reports. Every check prints `ok NAME` or
// `FAIL NAME`, the last line is `N passed, N failed`, and the exit status is 0 if none failed.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

inline int checks_passed = 0, checks_failed = 0;

inline bool check(const char* name, bool good) {
  printf("%s %s\n", good ? "ok" : "FAIL", name);
  ++(good ? checks_passed : checks_failed);
  return good;
}

// That a call failed as it should.
inline bool check_errno(const char* name, long answer, int expected) {
  if (answer == -1 && errno == expected) return check(name, true);
  printf("  answer %ld, errno %d, expected errno %d\n", answer, errno, expected);
  return check(name, false);
}

// That two numbers are the same.
inline bool check_equal(const char* name, long seen, long expected) {
  if (seen != expected) printf("  saw %ld, expected %ld\n", seen, expected);
  return check(name, seen == expected);
}

[[noreturn]] inline void finish_checks() {
  printf("%d passed, %d failed\n", checks_passed, checks_failed);
  exit(checks_failed != 0);
}

// Runs `body` in a child and returns the status that waitpid gives of it. What body returns is its
// exit code.
template <class Body>
int status_of_child(Body body) {
  fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// The signal that a child died of, 0 if it ended by itself.
inline int signal_of(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

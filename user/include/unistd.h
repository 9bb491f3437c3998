// The system calls that need no header of their own, and getopt.
#pragma once

#include <sys/types.h>

#include "lib/abi.h"

constexpr int STDIN_FILENO = 0, STDOUT_FILENO = 1, STDERR_FILENO = 2;
constexpr int SEEK_SET = abi::seek_set, SEEK_CUR = abi::seek_cur, SEEK_END = abi::seek_end;
constexpr int R_OK = 4, W_OK = 2, X_OK = 1, F_OK = 0;

extern "C" {
extern char** environ;

ssize_t read(int fd, void* to, size_t count);
ssize_t write(int fd, const void* from, size_t count);
int close(int fd);
off_t lseek(int fd, off_t offset, int whence);
int dup(int fd);
int dup2(int fd, int onto);
int pipe(int ends[2]);
int fsync(int fd);
int fdatasync(int fd);
int ftruncate(int fd, off_t length);
int truncate(const char* path, off_t length);
int isatty(int fd);

int access(const char* path, int how);
int link(const char* from, const char* to);
int unlink(const char* path);
int rmdir(const char* path);
int chdir(const char* path);
char* getcwd(char* to, size_t size);
// Returns when everything is durable. Unlike elsewhere it says whether that succeeded: 0 or -1.
int sync();

pid_t fork();
int execve(const char* path, char* const argv[], char* const envp[]);
int execv(const char* path, char* const argv[]);
int execvp(const char* file, char* const argv[]);  // looks in $PATH
int execl(const char* path, const char* arg0, ...);
int execlp(const char* file, const char* arg0, ...);
[[noreturn]] void _exit(int status);
pid_t getpid();
pid_t getppid();
pid_t getpgrp();
pid_t getpgid(pid_t pid);
int setpgid(pid_t pid, pid_t group);
pid_t setsid();
int brk(void* end);
void* sbrk(int increment);

unsigned alarm(unsigned seconds);
int pause();
unsigned sleep(unsigned seconds);
int usleep(useconds_t microseconds);

extern char* optarg;
extern int optind, opterr, optopt;
int getopt(int argc, char* const argv[], const char* options);
}

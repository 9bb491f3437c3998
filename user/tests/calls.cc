// One random sequence of system calls, written down call by call: the same program runs on Linux
// and on this kernel, and tools/differ.py compares what it writes.
//
//   calls SEED STEPS DIRECTORY PATHS [KEPT]   steps 0 to STEPS - 1 in DIRECTORY, which is made; a
//                                             path may have PATHS bytes. KEPT: "3-17,20", the steps
//                                             that are made (all).
//   calls boundaries DIRECTORY PATHS          the fixed list of limits instead
//
// Sixteen steps are a stretch: a process that begins with a few open files. What a stretch does to
// files the next one finds; when a signal ends a stretch, the next one goes on.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <initializer_list>

#include "user/tests/calls/boundaries.h"
#include "user/tests/calls/names.h"
#include "user/tests/calls/pipes.h"
#include "user/tests/calls/processes.h"

namespace {

constexpr int STRETCH = 16;

struct {
  uint32_t weight;
  void (*make)();
} const STEPS[] = {
    {16, step_open},      {4, step_creat},       {8, step_close},       {10, step_read},
    {12, step_write},     {8, step_lseek},       {3, step_dup},         {4, step_dup2},
    {5, step_fcntl},      {2, step_pipe},        {4, step_pipe_play},   {5, step_fstat},
    {3, step_ftruncate},  {1, step_fsync},       {1, step_ioctl},       {8, step_link},
    {8, step_unlink},     {14, step_rename},     {10, step_mkdir},      {6, step_rmdir},
    {4, step_access},     {4, step_chmod},       {4, step_truncate},    {3, step_mknod},
    {2, step_umask},      {2, step_root},        {10, step_stat},       {4, step_utime},
    {6, step_chdir},      {3, step_getcwd},      {3, step_getdents},    {2, step_getdents_errors},
    {1, step_statfs},     {5, step_sigaction},   {2, step_signal},      {5, step_sigprocmask},
    {2, step_sigpending}, {6, step_kill},        {1, step_alarm},       {3, step_exit},
    {3, step_kill_child}, {2, step_stop_child},  {2, step_wait_errors}, {4, step_child},
    {1, step_identity},   {2, step_groups},      {3, step_break},       {1, step_break_errors},
    {2, step_exec},       {2, step_exec_errors}, {1, step_clock},
};

void make_step() {
  uint32_t sum = 0;
  for (const auto& step : STEPS) sum += step.weight;
  uint32_t left = roll.below(sum);
  for (const auto& step : STEPS) {
    if (left < step.weight) return step.make();
    left -= step.weight;
  }
}

// The steps that are made: "3-17,20".
class step_list {
 public:
  explicit step_list(const char* text) : text_(text) {}
  bool has(int step) const {
    for (const char* at = text_; at && *at;) {
      const int first = atoi(at);
      int last = first;
      const size_t digits = strspn(at, "0123456789");
      at += digits;
      if (*at == '-') last = atoi(++at), at += strspn(at, "0123456789");
      if (step >= first && step <= last) return true;
      if (*at == ',')
        ++at;
      else if (digits == 0)
        return false;
    }
    return !text_;
  }

 private:
  const char* text_;
};

// The log goes to the last descriptor, and all others are closed.
void keep_log() {
  raw_system_call(syscall::dup2, 1, LOG);
  for (int fd = 0; fd < LOG; ++fd) raw_system_call(syscall::close, fd);
}

void begin_process() {
  parent_pid = getppid();
  own_pid = getpid();
  setpgid(0, 0);
  constexpr long page = 4096, room = 5 * page;  // more than any call moves
  const long start = (raw_system_call(syscall::brk, 0) + page - 1) / page * page;
  edge = reinterpret_cast<char*>(raw_system_call(syscall::brk, start + room));
}

// What a stretch finds, as far as its names are free: directories, files; 0 and 1 are files, 2 and
// 3 a pipe.
void open_some() {
  for (const char* directory : {"d", "d/d", "e"}) mkdir(directory, 0755);
  open("a", O_RDWR | O_CREAT, 0644);
  open("b", O_RDWR | O_CREAT | O_APPEND, 0644);
  int ends[2];
  pipe(ends);
}

void play(uint32_t seed, int first, int end, const step_list& kept) {
  begin_process();
  open_some();
  for (int step = first; step < end; ++step) {
    if (!kept.has(step)) continue;
    step_now = step;
    roll.begin(seed, static_cast<uint32_t>(step));
    make_step();
    tell_caught();
  }
}

// Runs `body` in a process; tells when a signal has ended it. One that hangs is ended.
pid_t running;
void end_running(int) { kill(running, SIGKILL); }

template <class Body>
void run_stretch(int first, Body body) {
  running = fork();
  if (running == 0) {
    signal(SIGALRM, SIG_DFL);
    body();
    _exit(0);
  }
  alarm(600);  // a machine that is busy with other things is slow, not broken
  int status = -1;
  while (waitpid(running, &status, 0) < 0 && errno == EINTR) {
  }
  alarm(0);
  step_now = first;
  if (status == 0) return;
  line l;
  l.add("the stretch ended:");
  add_status(l, status);
}

void make_directories(const char* directory) {
  snprintf(base, sizeof base, "%s/up", directory);
  mkdir(directory, 0755);
  mkdir(base, 0755);
  strcat(base, "/base");
  if (mkdir(base, 0755) < 0 || chdir(base) < 0) {
    perror(base);
    exit(1);
  }
}

void prepare(const char* directory, const char* longest_path) {
  path_limit = static_cast<uint32_t>(atoi(longest_path));
  make_directories(directory);
  struct statfs about;
  if (statfs(".", &about) == 0) name_limit = about.f_namelen;
  // The handlers of signals are as the kernel gives them to a first program, whatever the shell
  // did.
  for (int number = 1; number < 32; ++number) raw_system_call(syscall::signal, number, 0);
  const struct sigaction end_it = {end_running, 0, 0, nullptr};
  sigaction(SIGALRM, &end_it, nullptr);
  constexpr int exceeded_size = 25;  // Linux: the limit of a file's size is set to that of MINIX
  raw_system_call(syscall::signal, exceeded_size, abi::sig_ign);
  const uint32_t none = 0;
  raw_system_call(syscall::sigprocmask, SIG_SETMASK, to_register(&none), 0);
  umask(022);
  keep_log();
}

}  // namespace

int main(int argc, char** argv) {
  own_path = argv[0];
  if (argc == 4 && !strcmp(argv[1], "self")) return report_self(argc, argv, environ);
  if (argc == 4 && !strcmp(argv[1], "boundaries")) {
    prepare(argv[2], argv[3]);
    for (const boundary& one : BOUNDARIES) {
      ++step_now;
      run_stretch(step_now, [&] {
        begin_process();
        boundary_tests::sweep(".");
        note("%s", one.name);
        one.try_it();
        tell_caught();
      });
    }
    return 0;
  }
  if (argc == 4 && !strcmp(argv[1], "wait")) {  // until the parent lets it go
    char c;
    return static_cast<int>(read(0, &c, 1));
  }
  // Without arguments it shows a sequence.
  char directory[64];
  snprintf(directory, sizeof directory, "/tmp/calls.%d", getpid());
  const uint32_t seed = argc > 1 ? static_cast<uint32_t>(atoi(argv[1])) : 1;
  const int steps = argc > 2 ? atoi(argv[2]) : 100;
  prepare(argc > 3 ? argv[3] : directory, argc > 4 ? argv[4] : "1024");
  any_step = make_step;
  const step_list kept(argc > 5 ? argv[5] : nullptr);
  for (int first = 0; first < steps; first += STRETCH) {
    const int end = first + STRETCH < steps ? first + STRETCH : steps;
    run_stretch(first, [&] { play(seed, first, end, kept); });
  }
  return 0;
}

// Writes files until SIGTERM comes, and remembers what the kernel has acknowledged. Then it prints,
// for every file, what must be on the disk:
//
//   kept NAME CRC LENGTH     (the CRC-32 of zlib)
//   keeper: N changes, N kept, N wrong
//
// At SIGUSR1 it changes one more file, calls fsync, and lets that file be from then on. On stderr
// it prints what must be on the disk from this moment, whatever happens to the machine; three
// times, because the kernel may speak in the middle of a line:
//
//   held PATH CRC LENGTH SUM     (SUM = CRC ^ LENGTH)
//
// or "held nothing" when fsync gave an error. It reads files back as well: "wrong" counts those
// that were not as it had left them.
//
// `keeper DIRECTORY SEED`; without arguments it makes a few hundred changes and reads the files
// back. A file about which a call has given an error is not judged until it is made anew: some of
// the call's bytes may be there. The signals are blocked during each change.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/tests/check.h"

namespace {

constexpr uint32_t FILES = 10, LONGEST = 48000, MOST_HELD = 5;

struct kept_file {
  bool exists = false, certain = true, held = false;
  uint32_t length = 0;
  unsigned char bytes[LONGEST];
};
kept_file files[FILES];
char name[8] = "f0";
const char* directory = ".";
uint32_t state, wrong = 0, held = 0;
volatile int over = 0, holds_wanted = 0;

uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % limit;
}

const char* name_of(uint32_t index) {
  name[1] = static_cast<char>('0' + index);
  return name;
}

void set_length(kept_file& f, uint32_t length) {
  if (length > f.length) memset(f.bytes + f.length, 0, length - f.length);
  f.length = length;
}

// --- two processes append to one file at once
// -----------------------------------------------------

// A write with O_APPEND is one piece up to this length. The kernel divides a longer one into
// several pieces, and what another process appends may stand between them.
constexpr uint32_t ONE_PIECE = 15 * 1024;
constexpr uint32_t RECORDS = 2;

// The letters of each process are its own, so that they can be told apart.
struct appender {
  unsigned char first_letter;
  uint32_t seed;
  uint32_t lengths[RECORDS];

  unsigned char at(uint32_t position) const {
    return static_cast<unsigned char>(first_letter + ((seed ^ position * 2654435761u) >> 16) % 26);
  }
  uint32_t total() const { return lengths[0] + lengths[1]; }
  // Whether a record that must not be divided has begun, and not ended, after `done` bytes.
  bool inside_a_piece(uint32_t done) const {
    const bool second = done > lengths[0];
    const uint32_t length = lengths[second], offset = second ? done - lengths[0] : done;
    return length <= ONE_PIECE && offset > 0 && offset < length;
  }
};

appender make_appender(unsigned char first_letter) {
  appender a{first_letter, below(1u << 30), {1 + below(3000), 12000 + below(9000)}};
  if (below(2)) a = {a.first_letter, a.seed, {a.lengths[1], a.lengths[0]}};
  return a;
}
static_assert(2 * (3000 + 21000) <= LONGEST);

enum class outcome { whole, in_parts, failed };

// Appends the records, each with one write; with further ones if a write was short.
outcome append_records(const appender& a, const char* path) {
  static unsigned char bytes[21000];
  outcome result = outcome::whole;
  const int fd = open(path, O_WRONLY | O_APPEND);
  if (fd < 0) return outcome::failed;
  uint32_t position = 0;
  for (const uint32_t length : a.lengths) {
    for (uint32_t i = 0; i < length; ++i) bytes[i] = a.at(position + i);
    for (uint32_t done = 0; done < length;) {
      const ssize_t written = write(fd, bytes + done, length - done);
      if (written <= 0) return close(fd), outcome::failed;
      done += static_cast<uint32_t>(written);
      if (done < length) result = outcome::in_parts;
    }
    position += length;
  }
  return close(fd) == 0 ? result : outcome::failed;
}

// Whether the file's bytes are those of both, each one's in their order, and no piece is divided.
bool are_together(const kept_file& f, const appender (&both)[2], bool whole) {
  uint32_t done[2] = {0, 0};
  int last = -1;
  for (uint32_t i = 0; i < f.length; ++i) {
    const int which = f.bytes[i] >= 'a';
    if (done[which] == both[which].total() || f.bytes[i] != both[which].at(done[which]))
      return false;
    if (whole && last >= 0 && last != which && both[last].inside_a_piece(done[last])) return false;
    ++done[which];
    last = which;
  }
  return done[0] == both[0].total() && done[1] == both[1].total();
}

// The file as it is now, into f. False after an error.
bool read_back(uint32_t index, kept_file& f) {
  const int fd = open(name_of(index), O_RDONLY);
  if (fd < 0) return false;
  f.length = 0;
  ssize_t got;
  while ((got = read(fd, f.bytes + f.length, LONGEST - f.length)) > 0)
    f.length += static_cast<uint32_t>(got);
  close(fd);
  return got == 0;
}

void report_wrong(uint32_t index, const char* what) {
  ++wrong;
  fprintf(stderr, "keeper: WRONG: %s/%s %s\n", directory, name_of(index), what);
}

bool make_empty(uint32_t index) {
  const int fd = open(name_of(index), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  return fd >= 0 && close(fd) == 0;
}

appender together[2];  // of the last file that two processes wrote

bool append_together(uint32_t index) {
  kept_file& f = files[index];
  together[0] = make_appender('A');
  together[1] = make_appender('a');
  f.certain = false;  // until it is done
  if (!make_empty(index)) return false;
  const pid_t child = fork();
  if (child == 0) _exit(static_cast<int>(append_records(together[0], name_of(index))));
  if (child < 0) return false;
  const outcome ours = append_records(together[1], name_of(index));
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ours == outcome::failed || !WIFEXITED(status)) return false;
  const outcome other = static_cast<outcome>(WEXITSTATUS(status));
  if (other == outcome::failed || !read_back(index, f)) return false;
  f.exists = f.certain = true;
  const bool whole = ours == outcome::whole && other == outcome::whole;
  if (!are_together(f, together, whole)) report_wrong(index, "is not what two have appended");
  return true;
}

// --- the other changes
// ----------------------------------------------------------------------------

// Writes and closes: at a random place, which may lie behind the end; with O_APPEND at the end.
// False after an error.
bool write_somewhere(kept_file& f, int fd, bool at_the_end) {
  static unsigned char bytes[9000];
  const uint32_t position = at_the_end ? f.length : below(f.length + 3000);
  const uint32_t room = position < LONGEST ? LONGEST - position : 0;
  uint32_t size = 1 + below(sizeof bytes);
  if (size > room) size = room;
  for (uint32_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(below(256));
  if (!at_the_end && lseek(fd, static_cast<off_t>(position), SEEK_SET) < 0) return false;
  const ssize_t written = write(fd, bytes, size);
  if (written < 0) return false;
  const uint32_t end = position + static_cast<uint32_t>(written);
  if (written > 0 && end > f.length) set_length(f, end);
  memcpy(f.bytes + position, bytes, static_cast<size_t>(written));
  return below(8) != 0 || fsync(fd) == 0;
}

bool change_content(uint32_t index, int flags) {
  kept_file& f = files[index];
  const int fd = open(name_of(index), O_RDWR | O_CREAT | flags, 0644);
  if (fd < 0) return false;
  if (!f.exists || flags & O_TRUNC) f.length = 0;
  f.exists = true;
  const bool good = write_somewhere(f, fd, flags & O_APPEND);
  return close(fd) == 0 && good;
}

bool make_anew(uint32_t index) {
  if (unlink(name_of(index)) != 0 && errno != ENOENT) return false;
  files[index].exists = false;
  files[index].certain = true;
  return change_content(index, 0);
}

bool shorten(uint32_t index) {
  kept_file& f = files[index];
  uint32_t length = below(f.length + 2000);
  if (length > LONGEST) length = LONGEST;
  if (truncate(name_of(index), static_cast<off_t>(length)) != 0) return false;
  set_length(f, length);
  return true;
}

bool rename_over(uint32_t from, uint32_t to) {
  if (files[to].held) return true;
  char old_name[8];
  strcpy(old_name, name_of(from));
  files[to].certain = false;  // until it is done
  if (rename(old_name, name_of(to)) != 0) return false;
  files[to] = files[from];
  files[from].exists = false;
  return true;
}

// An error tells nothing about the file. Its content does.
void look_again(uint32_t index) {
  static kept_file now;
  const kept_file& f = files[index];
  if (!read_back(index, now)) return;
  if (now.length != f.length || memcmp(now.bytes, f.bytes, f.length) != 0)
    report_wrong(index, "is not as it was left");
}

bool change(uint32_t index) {
  if (files[index].held) return look_again(index), true;
  if (!files[index].certain || !files[index].exists) return make_anew(index);
  const uint32_t other = (index + 1 + below(FILES - 1)) % FILES;
  switch (below(14)) {
    case 0: return make_anew(index);
    case 1: return shorten(index);
    case 2: return rename_over(index, other);
    case 3: return change_content(index, O_TRUNC);
    case 4:
    case 5: return change_content(index, O_APPEND);
    case 6: return append_together(index);
    case 7: return look_again(index), true;
    case 8: return below(4) || sync(), true;
    default: return change_content(index, 0);
  }
}

// --- what is acknowledged
// -------------------------------------------------------------------------

uint32_t crc_of(const kept_file& f) {
  uint32_t crc = ~0u;
  for (uint32_t i = 0; i < f.length; ++i) {
    crc ^= f.bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

// One more file that is durable and stays as it is. False after an error.
bool hold(uint32_t index) {
  kept_file& f = files[index];
  if (!f.certain || !f.exists ? !make_anew(index) : !change_content(index, 0)) {
    f.certain = false;
    return false;
  }
  const int fd = open(name_of(index), O_RDONLY);
  if (fd < 0) return false;
  f.held = fsync(fd) == 0;
  close(fd);
  return f.held;
}

// Its name is printed only after its fsync.
void hold_one() {
  const uint32_t index = below(FILES);
  if (held == MOST_HELD || files[index].held || !hold(index)) {
    fprintf(stderr, "held nothing\n");
    return;
  }
  ++held;
  const uint32_t crc = crc_of(files[index]), length = files[index].length;
  for (int i = 0; i < 3; ++i)
    fprintf(stderr, "held %s/%s %u %u %u\n", directory, name_of(index), crc, length, crc ^ length);
}

void on_signal(int signal_nr) { (signal_nr == SIGTERM ? over : holds_wanted) = 1; }

void let_signals_come() {
  const sigset_t all = signal_bit(SIGTERM) | signal_bit(SIGUSR1);
  sigprocmask(SIG_UNBLOCK, &all, nullptr);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  if (!holds_wanted) return;
  holds_wanted = 0;
  hold_one();
}

void print_what_is_kept(uint32_t changes) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < FILES; ++i) {
    if (!files[i].exists || !files[i].certain) continue;
    printf("kept %s %u %u\n", name_of(i), crc_of(files[i]), files[i].length);
    ++kept;
  }
  printf("keeper: %u changes, %u kept, %u wrong\n", changes, kept, wrong);
}

// --- without arguments
// ----------------------------------------------------------------------------

bool is_as_kept(uint32_t index) {
  const kept_file& f = files[index];
  static kept_file now;
  if (!read_back(index, now)) return errno == ENOENT && !f.exists;
  return f.exists && now.length == f.length && memcmp(now.bytes, f.bytes, f.length) == 0;
}

// What the checks above would say of a file that is not as it should be.
void check_the_checks() {
  check("two processes append to one file", append_together(0) && wrong == 0);
  kept_file& f = files[0];
  f.bytes[f.length / 2] ^= 1;
  check("another byte is not together", !are_together(f, together, true));
  look_again(0);
  check_equal("another byte is seen in the file", static_cast<long>(wrong), 1);
  f.bytes[f.length / 2] ^= 1;
  --f.length;
  check("a missing byte is not together", !are_together(f, together, true));
  ++f.length;
  // A long record of one process around a short one of the other: its pieces may be divided.
  const appender both[2] = {{'A', 1, {20000, 1}}, {'a', 2, {100, 1}}};
  kept_file& made = files[1];
  for (made.length = 0; made.length < 20001; ++made.length)
    made.bytes[made.length] = both[0].at(made.length);
  memmove(made.bytes + 16101, made.bytes + 16000, 4001);
  for (uint32_t i = 0; i < 101; ++i) made.bytes[16000 + i] = both[1].at(i);
  made.length += 101;
  check("a long record may be divided", are_together(made, both, true));
  const appender short_ones[2] = {{'A', 1, {10000, 10001}}, both[1]};
  check("a short one may not", !are_together(made, short_ones, true));
  check("unless its write was short", are_together(made, short_ones, false));
  made.length = 0;
  wrong = 0;
}

[[noreturn]] void check_itself() {
  mkdir("/tmp/keeper", 0755);
  check("it has a directory", chdir("/tmp/keeper") == 0);
  state = 1;
  check_the_checks();
  for (uint32_t changes = 0; changes < 300; ++changes)
    if (!change(below(FILES))) check("every change works", false);
  check_equal("nothing was wrong when it was read again", static_cast<long>(wrong), 0);
  uint32_t index = 0;
  while (!hold(index)) ++index;
  for (uint32_t changes = 0; changes < 30; ++changes) change(index);
  for (uint32_t i = 0; i < FILES; ++i) {
    check(name_of(i), is_as_kept(i));
    unlink(name_of(i));
  }
  chdir("/");
  check("nothing else was made", rmdir("/tmp/keeper") == 0);
  finish_checks();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) check_itself();
  if (argc != 3 || chdir(argv[1]) != 0) {
    printf("keeper DIRECTORY SEED\n");
    return 1;
  }
  directory = argv[1];
  state = static_cast<uint32_t>(atoi(argv[2])) * 2654435761u + 1;
  const struct sigaction action = {on_signal, 0, 0, nullptr};
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  uint32_t changes = 0;
  for (let_signals_come(); !over; let_signals_come(), ++changes) {
    const uint32_t index = below(FILES);
    if (!change(index)) files[index].certain = false;
    if (below(4) == 0) usleep(1000);
  }
  print_what_is_kept(changes);
  return 0;
}

// The terminal: see tty.h. Input travels interrupt → receive → input_queue → tty_read; the
// interrupt handler does all the editing, as in the book's copy_to_cooked.
#include "drivers/char/tty.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "drivers/char/char_device.h"
#include "drivers/char/console.h"
#include "drivers/char/input_queue.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/task.h"
#include "hal/wait.h"
#include "lib/abi.h"

namespace {

constexpr char control(char c) { return static_cast<char>(c & 0x1F); }
constexpr char DELETE = 0x7F;

constexpr abi::termios DEFAULT_TERMIOS = [] {
  abi::termios t{};
  t.iflag = abi::tty_icrnl;
  t.oflag = abi::tty_opost | abi::tty_onlcr;
  t.lflag = abi::tty_isig | abi::tty_icanon | abi::tty_echo | abi::tty_echoe;
  t.cc[abi::cc_intr] = control('C');
  t.cc[abi::cc_quit] = control('\\');
  t.cc[abi::cc_erase] = DELETE;
  t.cc[abi::cc_kill] = control('U');
  t.cc[abi::cc_eof] = control('D');
  t.cc[abi::cc_susp] = control('Z');
  t.cc[abi::cc_min] = 1;
  return t;
}();

struct terminal {
  abi::termios termios = DEFAULT_TERMIOS;
  int pgrp = 0;     // the foreground process group; 0: no group is signalled
  int session = 0;  // of the process that has set it, if there is a group
  input_queue input;
  wait_queue readers;
  process_groups groups{};

  bool local(u32 flag) const { return (termios.lflag & flag) != 0; }
  bool canonical() const { return local(abi::tty_icanon); }
  // A control character of 0 is switched off.
  bool is(char c, abi::tty_cc which) const {
    return c != 0 && static_cast<u8>(c) == termios.cc[which];
  }
};
constinit terminal tty;

// --- job control ---

bool in_background() { return tty.pgrp != 0 && tty.groups.current_group() != tty.pgrp; }

// Stops the caller's group (POSIX); the call is made again when the group is continued. One that no
// process could continue gets eio instead. Always an error.
result<void> stop_group(u32 signal) {
  const int group = tty.groups.current_group();
  if (tty.groups.is_orphaned(group)) return fail(error::eio);
  tty.groups.signal(group, signal);
  return fail(error::eintr);
}

result<void> demand_foreground_to_read() {
  if (!in_background()) return {};
  if (!tty.groups.accepts(abi::sigttin)) return fail(error::eio);
  return stop_group(abi::sigttin);
}

// A process that ignores or blocks SIGTTOU may do it in the background, too.
result<void> demand_foreground_to_change() {
  if (!in_background() || !tty.groups.accepts(abi::sigttou)) return {};
  return stop_group(abi::sigttou);
}

// --- output ---

// POSIX, 11.1.3: without OPOST nothing is changed.
void put(std::string_view text) {
  constexpr u32 newlines = abi::tty_opost | abi::tty_onlcr;
  if ((tty.termios.oflag & newlines) == newlines)
    console_write(text);
  else
    console_write_unchanged(text);
}

bool is_control(char c) { return static_cast<u8>(c) < ' ' || c == DELETE; }

// Control characters are shown as ^X, and take two columns.
void echo(char c) {
  if (!tty.local(abi::tty_echo)) return;
  if (is_control(c) && c != '\t' && c != '\n')
    put(std::array{'^', static_cast<char>(c ^ 0x40), '\0'}.data());
  else
    put({&c, 1});
}

void unecho(char c) {
  if (!tty.local(abi::tty_echo) || !tty.local(abi::tty_echoe)) return;
  put(is_control(c) && c != '\t' ? "\b\b  \b\b" : "\b \b");
}

// Errors: eagain, eintr.
result<void> wait_for_room(u32 flags) {
  if (!(flags & abi::o_nonblock))
    return wait_for_console() ? result<void>() : result<void>(fail(error::eintr));
  return console_has_room() ? result<void>() : result<void>(fail(error::eagain));
}

// A slow terminal is waited for before each piece of the text.
result<u32> tty_write(u8, std::span<const byte> from, u32, u32 flags) {
  constexpr size_t PIECE = 1024;
  if (from.empty()) return 0;
  if (tty.local(abi::tty_tostop)) TRY(demand_foreground_to_change());
  std::string_view rest(reinterpret_cast<const char*>(from.data()), from.size());
  while (!rest.empty()) {
    const result<void> room = wait_for_room(flags);
    if (!room && rest.size() == from.size()) return fail(room.error());
    if (!room) break;
    put(rest.substr(0, PIECE));
    rest.remove_prefix(std::min(rest.size(), PIECE));
  }
  return static_cast<u32>(from.size() - rest.size());
}

// --- input: everything here runs in interrupt handlers ---

// A signal character also throws away what was typed before it.
bool signal_typed(char c) {
  if (!tty.local(abi::tty_isig)) return false;
  const u32 signal = tty.is(c, abi::cc_intr)   ? abi::sigint
                     : tty.is(c, abi::cc_quit) ? abi::sigquit
                     : tty.is(c, abi::cc_susp) ? abi::sigtstp
                                               : 0;
  if (!signal) return false;
  tty.input.clear();
  echo(c);
  if (tty.pgrp) tty.groups.signal(tty.pgrp, signal);
  return true;
}

bool erase_last() {
  const std::optional<char> erased = tty.input.erase();
  if (erased) unecho(*erased);
  return erased.has_value();
}

// One character of a line that is being edited.
void edit_line(char c) {
  if (tty.is(c, abi::cc_erase) || c == '\b') {
    erase_last();
  } else if (tty.is(c, abi::cc_kill)) {
    while (erase_last()) {
    }
  } else if (tty.is(c, abi::cc_eof)) {
    tty.input.put_end_of_file(c);
  } else if (c == '\n') {
    if (tty.input.put_newline()) echo(c);
  } else if (tty.input.put(c)) {
    echo(c);
  }
}

void pass_on(char c) {
  if (tty.input.put(c)) echo(c);
  tty.input.commit();
}

void receive(char c) {
  if (c == '\r' && tty.termios.iflag & abi::tty_icrnl) c = '\n';
  if (!signal_typed(c)) tty.canonical() ? edit_line(c) : pass_on(c);
  if (tty.input.readable()) wake_up(tty.readers);
}

// --- reading ---

// Whether a read with room for so many characters ends with those that have come.
bool enough(u32 come, size_t room) {
  if (tty.canonical()) return come > 0;
  return come >= std::min<size_t>(std::max<u8>(tty.termios.cc[abi::cc_min], 1), room);
}

// POSIX, 11.1.7. With VMIN the time runs between two characters, so not before the first. Without
// it the time runs from the call on, and the first character ends the read. `since`: when the last
// character came; before the first, when the call was made.
instant reading_deadline(u32 come, instant since) {
  const u8 least = tty.termios.cc[abi::cc_min], time = tty.termios.cc[abi::cc_time];
  if (tty.canonical()) return never;
  if (least > 0 && (time == 0 || come == 0)) return never;
  return since + duration{time * (100_ms).ns};
}

// Until there is enough to read, or the time is over. A process may lose the foreground while it
// sleeps; then what is typed is not for it. Errors: eagain, eintr, eio.
result<void> wait_for_input(size_t room, u32 flags) {
  u32 come = tty.input.committed();
  instant since = now();
  for (;;) {
    TRY(demand_foreground_to_read());
    const instant deadline = reading_deadline(come, since);
    if (enough(come, room) || now() >= deadline) return {};
    if (flags & abi::o_nonblock) return come ? result<void>() : result<void>(fail(error::eagain));
    if (interruptible_sleep_on(tty.readers, deadline) == wake_reason::signalled)
      return fail(error::eintr);
    const u32 before = std::exchange(come, tty.input.committed());
    if (come != before) since = now();
  }
}

result<u32> tty_read(u8, std::span<byte> to, u32, u32 flags) {
  if (to.empty()) return 0;
  const irq_guard masked;
  TRY(wait_for_input(to.size(), flags));
  return tty.input.take(to, tty.canonical());
}

// --- ioctl ---

constexpr abi::winsize WINDOW = {.rows = 25, .columns = 80, .xpixel = 0, .ypixel = 0};

ioctl_argument argument_of(u32 command) {
  switch (command) {
    case abi::tcgets: return {sizeof(abi::termios), true};
    case abi::tcsets:
    case abi::tcsetsw:
    case abi::tcsetsf: return {sizeof(abi::termios), false};
    case abi::tiocgpgrp: return {sizeof(int), true};
    case abi::tiocspgrp: return {sizeof(int), false};
    case abi::tiocgwinsz: return {sizeof(abi::winsize), true};
    default: return {};
  }
}

// Characters typed under the old settings are read under the new ones, unless they are flushed.
result<u32> set_termios(std::span<const byte> argument, bool flush) {
  TRY(demand_foreground_to_change());
  const irq_guard masked;
  std::memcpy(&tty.termios, argument.data(), sizeof tty.termios);
  if (flush) tty.input.clear();
  if (!tty.canonical()) tty.input.commit();
  wake_up(tty.readers);
  return 0;
}

// A group of another session, or without a process, is eperm (POSIX).
result<u32> set_foreground(std::span<const byte> argument) {
  TRY(demand_foreground_to_change());
  int group;
  std::memcpy(&group, argument.data(), sizeof group);
  const int session = tty.groups.current_session();
  if (group < 0) return fail(error::einval);
  if (!tty.groups.in_session(group, session)) return fail(error::eperm);
  const irq_guard masked;
  tty.pgrp = group;
  tty.session = session;
  wake_up(tty.readers);
  return 0;
}

result<u32> tty_ioctl(u8, u32 command, std::span<byte> argument) {
  switch (command) {
    case abi::tcgets: std::memcpy(argument.data(), &tty.termios, sizeof tty.termios); return 0;
    case abi::tcsets:
    case abi::tcsetsw: return set_termios(argument, false);  // output is never pending
    case abi::tcsetsf: return set_termios(argument, true);
    case abi::tiocgpgrp: std::memcpy(argument.data(), &tty.pgrp, sizeof tty.pgrp); return 0;
    case abi::tiocspgrp: return set_foreground(argument);
    case abi::tiocgwinsz: std::memcpy(argument.data(), &WINDOW, sizeof WINDOW); return 0;
    default: return fail(error::enotty);
  }
}

constexpr char_device tty_device = {
    .read = tty_read, .write = tty_write, .ioctl = tty_ioctl, .argument_of = argument_of};

}  // namespace

void tty_session_ended(int session) {
  if (session != tty.session) return;
  const irq_guard masked;
  const int left_behind = std::exchange(tty.pgrp, 0);
  if (left_behind) tty.groups.signal(left_behind, abi::sighup);
  tty.termios = DEFAULT_TERMIOS;  // what the last program has set is not for the next session
  tty.input.clear();
}

void tty_init(const process_groups& groups) {
  tty.groups = groups;
  register_char_device(abi::major_tty, tty_device);
  register_char_device(abi::major_console, tty_device);
  set_console_input(receive);
}

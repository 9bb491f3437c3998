// tty: the line discipline between the console and the programs (the book's tty_io.c). One console,
// so one terminal, under four names: /dev/console (5,1), /dev/tty (5,0), /dev/tty1 (4,1) and
// /dev/ttyS0 (4,64).
//
// - Canonical mode (the default): a program reads whole lines. ^H and DEL erase a character, ^U
//   erases the line, ^D ends the file. In the other mode a program reads characters as they are
//   typed, under the rules of VMIN and VTIME (POSIX, 11.1.7).
// - What programs write is changed with OPOST alone: then ONLCR makes CR LF of a newline.
// - ^C, ^\ and ^Z go as SIGINT, SIGQUIT and SIGTSTP to the foreground process group, in both modes,
//   unless ISIG is off. The group is the one that the shell's job control has set (TIOCSPGRP). A
//   process of another group that reads gets SIGTTIN. One that changes the settings or the group,
//   or writes while TOSTOP is on, gets SIGTTOU, unless it ignores that signal or blocks it. Where
//   no process could continue it, it gets eio instead.
// - Processes belong to a layer above, which registers how to signal a group of them.
#pragma once

#include "lib/types.h"

struct process_groups {
  // The group and the session of the task that runs now.
  int (*current_group)();
  int (*current_session)();
  // Whether that task neither ignores nor blocks a signal.
  bool (*accepts)(u32 signal);
  // Whether a process of the session is in the group.
  bool (*in_session)(int group, int session);
  // Whether no process could continue a stopped one of the group.
  bool (*is_orphaned)(int group);
  // Sends a signal to every process of a group. Never sleeps; called from interrupt handlers, too.
  void (*signal)(int group, u32 signal);
};

// Registers the devices and turns the console's input on. Called once at boot.
void tty_init(const process_groups& groups);

// A session has ended. If the terminal belonged to it, the foreground group gets SIGHUP, and
// another session may take the terminal. Never sleeps.
void tty_session_ended(int session);

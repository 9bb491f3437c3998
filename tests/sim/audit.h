// The closing audit: at the end of every test, what the kernel has given out has come back.
//
// No test asks for it. When a world ends (scheduler.h) and nothing has failed in it, the audit
// closes it in good order: troubles end, file systems are unmounted, media are pulled, volumes that
// still miss their stick are given up. Then everything that registered itself here says what is
// left: tasks that sleep where nothing wakes them, memory, requests (audit.cc), slots, reservations
// and volumes (tests/fs/checkpoint/alone/region_audit.cc), buffers, inodes, mounts, files and pipes
// (tests/fs/fs_audit.cc), disks (medium), slots of the controller and ports (xhci/machine).
//
// - What a test reads after its world is not changed: a medium's content is put back.
// - Memory that belongs to a machine for ever is taken inside a `kept_memory` scope
//   (tests/sim/memory.h). Without one it counts as left behind, so a scope cannot be forgotten.
// - What is private to a file of the kernel is counted from outside (supply): how many can be had
//   now, against how many a freshly booted kernel gives.
// - A world in which a panic was expected is not audited. A test that ends in the middle of
//   something for another reason says leave_open("the reason"). Both are counted in the line
//   "coverage: audit" that the test program prints at its end.
#pragma once

#include <string>

#include "lib/types.h"

namespace sim {

// A part of the machine or of the kernel. It exists longer than the worlds that it is looked at in.
class audited {
 public:
  audited(const audited&) = delete;
  audited& operator=(const audited&) = delete;

  // The four steps of closing, each for all parts before the next step begins. The last three run
  // in a task of the world and may sleep; after them the audit waits until all tasks are idle.
  virtual void end_trouble() {}  // what the test lets fail works again
  virtual void unmount() {}
  virtual void unplug() {}
  virtual void give_up() {}
  // Calls left_behind for everything that is left; does not sleep.
  virtual void check() {}
  // Undoes what closing has changed in the view of the test.
  virtual void put_back() {}

 protected:
  audited();
  virtual ~audited();
};

// Things of which the kernel has a fixed number, in a table that only one file sees. There is one
// object for each kind, made before main.
class supply {
 public:
  supply(const supply&) = delete;
  supply& operator=(const supply&) = delete;

  // Takes as many as there are, gives them back, and returns how many. In a task; may sleep.
  virtual u32 count() = 0;
  const char* what() const { return what_; }
  // What count() gives in a fresh kernel; 0: not counted yet.
  u32 of_a_fresh_kernel = 0;

 protected:
  explicit supply(const char* what);
  virtual ~supply() = default;

 private:
  const char* what_;
};

void left_behind(const std::string& what);
// For a test that ends deliberately in the middle: its world is not audited. Inside the world.
void leave_open(const char* why);

// Returns when every task has slept once: from then on the audit knows where it waits for work. For
// code that boots a machine.
void let_tasks_begin();

class world;
// For the world alone: its end.
void audit(world& ended);

}  // namespace sim

// See races.h.
#include "tests/pc/races.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_map>

#include "kernel/sched.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"

extern "C" byte kernel_state_start[], kernel_state_end[];

namespace pc {
namespace {

constexpr u32 WORD = 4;

struct use {
  bool written_by_handler = false;
  u32 handler = 0;  // where it used the word
};

std::unordered_map<u32, use> shared;  // by address
std::set<u32> told;                   // places
u32 interrupts = 0;
bool looking = false;

// The structure of a task that this address is in, or null. A kernel stack is aligned to
// its size.
const task_struct* task_at(u32 address) {
  const u32 offset = address % KERNEL_STACK_SIZE;
  if (address < KERNEL_BASE || offset < TASK_STRUCT_PLACE) return nullptr;
  const auto* found = reinterpret_cast<task_struct*>(address - offset + TASK_STRUCT_PLACE);
  for (const task_struct* each : task)
    if (each == found) return found;
  return nullptr;
}

bool is_watched(u32 address) {
  const bool is_variable = address >= reinterpret_cast<u32>(kernel_state_start) &&
                           address < reinterpret_cast<u32>(kernel_state_end);
  return is_variable || task_at(address);
}

void tell(u32 address, const use& by_handler, u32 place, bool write) {
  if (!told.insert(place).second) return;
  ADD_FAILURE() << "a task " << (write ? "writes" : "reads") << " with interrupts enabled what "
                << "an interrupt handler " << (by_handler.written_by_handler ? "writes" : "reads")
                << ": addr2line -ife build/host/kernel_tests " << std::hex << place << " "
                << by_handler.handler << ", of " << address;
}

void note_word(u32 address, u32 place, bool write, bool whole) {
  if (!is_watched(address)) return;
  if (interrupts) {
    use& of = shared[address];
    of.written_by_handler |= write;
    of.handler = place;
    return;
  }
  const auto found = shared.find(address);
  if (found == shared.end()) return;
  if (write || (!whole && found->second.written_by_handler))
    tell(address, found->second, place, write);
}

void note(u32 address, u32 size, u32 place, bool write) {
  if (looking || (!interrupts && (!interrupts_enabled || shared.empty()))) return;
  looking = true;
  const u32 first = address / WORD * WORD;
  const bool whole = address + size <= first + WORD;
  for (u32 at = first; at < address + size; at += WORD) note_word(at, place, write, whole);
  looking = false;
}

}  // namespace

void expect_signals() {
  const u32 here = reinterpret_cast<u32>(__builtin_return_address(0));
  const auto uses = [here](const auto& field, bool write) {
    note(reinterpret_cast<u32>(&field), sizeof(field), here, write);
  };
  for (task_struct*& place : task) {
    uses(place, false);
    if (!place || !place->space) continue;
    for (const u32* read : {&place->blocked, reinterpret_cast<u32*>(&place->pgrp)})
      uses(*read, false);
    uses(place->space, false);
    uses(place->sigaction, false);
    uses(place->signal, true);
    uses(place->state, true);
    uses(place->woken_by, true);
  }
}

void forget_races() {
  shared.clear();
  told.clear();
  interrupts = 0;
}

interrupt_scope::interrupt_scope() { ++interrupts; }
interrupt_scope::~interrupt_scope() { --interrupts; }

}  // namespace pc

// What the compiler calls (GCC's tsan.def). Each access comes with its address.
extern "C" {

#define PLACE reinterpret_cast<u32>(__builtin_return_address(0))
#define ACCESS(name, size, write)  \
  void __tsan_##name(u32 address); \
  void __tsan_##name(u32 address) { pc::note(address, size, PLACE, write); }
#define ACCESSES(size)                      \
  ACCESS(read##size, size, false)           \
  ACCESS(write##size, size, true)           \
  ACCESS(unaligned_read##size, size, false) \
  ACCESS(unaligned_write##size, size, true)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(u32 address, u32 size);
void __tsan_write_range(u32 address, u32 size);
void __tsan_init();
void __tsan_read_range(u32 address, u32 size) { pc::note(address, size, PLACE, false); }
void __tsan_write_range(u32 address, u32 size) { pc::note(address, size, PLACE, true); }
void __tsan_init() {}

// Not an access.
void __tsan_vptr_update(void**, void*);
void __tsan_atomic_signal_fence(int);
void __tsan_vptr_update(void**, void*) {}
void __tsan_atomic_signal_fence(int) {}
}

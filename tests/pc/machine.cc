// The simulated PC as a whole: power, clock, boot, panic, and the look at what is left behind. Also
// the host's hal/clock.h, hal/panic.h, kernel/i386/clock.h, panic.h and power.h.
#include "tests/pc/machine.h"

#include <gtest/gtest.h>
#include <setjmp.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "drivers/block/ramdisk.h"
#include "drivers/char/console.h"
#include "drivers/char/info_device.h"
#include "drivers/char/mem.h"
#include "drivers/char/tty.h"
#include "drivers/pci/pci.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/checkpoint.h"
#include "fs/inode_table.h"
#include "fs/replug/info_files.h"
#include "fs/replug/replugd.h"
#include "fs/sync.h"
#include "hal/clock.h"
#include "hal/irq.h"
#include "hal/power.h"
#include "kernel/i386/clock.h"
#include "kernel/i386/interrupts.h"
#include "kernel/i386/panic.h"
#include "kernel/i386/traps.h"
#include "kernel/info.h"
#include "kernel/init.h"
#include "kernel/options.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "lib/format.h"
#include "mm/address_space.h"
#include "mm/mmio.h"
#include "mm/page.h"
#include "mm/page_table.h"
#include "tests/fs/minix_image.h"
#include "tests/pc/inside.h"
#include "tests/pc/mmu.h"
#include "tests/pc/program.h"
#include "tests/pc/races.h"
#include "tests/pc/user.h"
#include "tests/sim/kernel_state.h"

namespace pc {
namespace {

constexpr u32 ONE_MIB = 0x10'0000;
constexpr u32 DISK_BLOCKS = 700;
constexpr u32 BOOT_DATE = 1'700'000'000;
constexpr i64 NS_PER_TICK = 1'000'000'000 / HZ;

// What the world outside knows of the machine that runs.
struct machine_state {
  settings chosen;
  std::vector<byte> disk;
  u64 ticks = 0;
  duration since_tick{};  // how far the timer has counted down to the next one
  u32 boot_date = BOOT_DATE;
  bool running = false;
  jmp_buf leave;
  bool panicked = false;
  std::string panic_message, power;
  std::vector<byte*> kept_pages;
  std::array<std::vector<std::pair<irq_handler, void*>>, 16> handlers;
};
machine_state* m = nullptr;

bool timer_interrupt(void*) {
  do_timer(interrupted_user_mode());
  return true;
}

void make_char_devices() {
  tty_init({.current_group = [] { return current->pgrp; },
            .current_session = [] { return current->session; },
            .accepts = accepts_signal,
            .in_session = group_in_session,
            .is_orphaned = is_orphaned,
            .signal = [](int group, u32 signal) { signal_group(group, signal); }});
  mem_device_init();
  info_init();
  kernel_info_init();
}

void memory_on() {
  const memory_range all{ONE_MIB, u64{m->chosen.pages} * PAGE_SIZE};
  const std::span<const memory_range> chosen = m->chosen.ranges;
  mem_init(chosen.empty() ? std::span(&all, 1) : chosen, m->chosen.kernel_end);
}

// As kernel/main.cc does it. `first` is the body of the first task.
void boot(void (*first)(void*)) {
  console_init();
  set_boot_options(std::string("buffers=64 slots=64 ") + m->chosen.options);
  memory_on();
  mmio_init();
  (void)request_irq(0, false, timer_interrupt, nullptr);
  sched_init();
  if (!kernel_task("init", first, nullptr)) panic("no memory for process 1");
  make_char_devices();
  pci_init();
  rd_init(m->disk);
  buffer_init(boot_option_number("buffers").value_or(0), find_buffer_policy(""));
  checkpoint::init(boot_option_number("slots").value_or(0));
  fs_init();
  replugd_init();
  checkpoint::info_files_init();
}

// Runs until stop_machine.
template <class Action>
void until_stopped(Action action) {
  m->running = true;
  if (!_setjmp(m->leave)) action();
  m->running = false;
}

void need(const result<void>& done) {
  if (!done) fail("the root disk cannot be made");
}

void write_init_program(fs_context& context) {
  const std::vector<byte> program = program_file().bytes();
  file& init = **open_file(context, "/sbin/init", abi::o_creat | abi::o_wronly, 0755);
  if (write_open_file(init, program) != u32{program.size()}) fail("/sbin/init cannot be written");
  need(close_file(init));
}

void make_root_disk(void*) {
  fs_context context = *mount_root(dev_id(MAJOR_RAM, 0));
  context.umask = 0;
  for (const char* directory : {"/sbin", "/bin", "/dev", "/tmp"})
    need(make_directory(context, directory, 0755));
  need(make_node(context, "/dev/null", abi::s_ifchr | 0666, dev_id(abi::major_mem, 3)));
  need(make_node(context, "/dev/zero", abi::s_ifchr | 0666, dev_id(abi::major_mem, 5)));
  need(make_node(context, "/dev/console", abi::s_ifchr | 0666, dev_id(abi::major_console, 1)));
  write_init_program(context);
  need(sys_sync());
  stop_machine();
}

void power_on(machine_state& state) {
  m = &state;
  sim::restore_kernel_state();
  mmu::power_on(state.chosen.pages);
  mmu::on_kernel_fault([](u32 address, bool write) {
    panic("the kernel %s %08x, which is no memory that it may use so",
          write ? "writes to" : "reads from", address);
  });
  forget_console();
  forget_programs();
  forget_races();
}

// The disk that every machine begins with; made once, by the kernel itself.
const std::vector<byte>& root_disk() {
  static const std::vector<byte> made = [] {
    machine_state maker;
    maker.disk = sim::mkfs_minix(DISK_BLOCKS, 128);
    power_on(maker);
    until_stopped([] {
      boot(make_root_disk);
      idle();
    });
    if (maker.panicked) std::abort();
    m = nullptr;
    return maker.disk;
  }();
  return made;
}

machine_state this_machine;

// --- what is left behind ---

struct possessions {
  u32 pages, processes, inodes, files;
};

u32 count_processes() {
  return static_cast<u32>(std::ranges::count_if(std::span(task).first(NR_TASKS),
                                                [](const task_struct* t) { return t != nullptr; }));
}

u32 count_inode_references() {
  u32 references = 0;
  for (const m_inode& inode : all_inodes()) references += inode.i_count;
  return references;
}

// Open files: the others of NR_FILE can be opened.
u32 count_files() {
  std::vector<file*> opened;
  while (true) {
    const result<file*> one = open_file(current->fs, "/", abi::o_rdonly, 0);
    if (!one) break;
    opened.push_back(*one);
  }
  for (file* each : opened) (void)close_file(*each);
  return NR_FILE - static_cast<u32>(opened.size());
}

possessions take_stock() {
  const u32 files = count_files();
  return {free_page_count() + mmu::pages_of_active_space(), count_processes(),
          count_inode_references(), files};
}

void expect_same(const possessions& before, const possessions& after) {
  EXPECT_EQ(after.pages, before.pages) << "pages: free ones and those of process 1";
  EXPECT_EQ(after.processes, before.processes) << "places in the task array";
  EXPECT_EQ(after.inodes, before.inodes) << "references to inodes";
  EXPECT_EQ(after.files, before.files) << "open files";
}

}  // namespace

// Every page that a process sees has as many references as there are entries of it, as far as
// page_is_shared tells; and no process may write to a page that it shares.
void expect_sound_pages() {
  std::map<u32, u32> references;
  std::vector<u32> writable;
  for (const task_struct* t : task) {
    if (!t || !t->space) continue;
    t->space->activate();
    mmu::for_each_user_page([&](u32 entry) {
      ++references[entry / PAGE_SIZE];
      if (is_writable(entry)) writable.push_back(entry / PAGE_SIZE);
    });
  }
  current->space->activate();
  for (const auto& [page, count] : references)
    EXPECT_EQ(page_is_shared(direct_map(page * PAGE_SIZE)), count > 1) << "page " << page;
  for (const u32 page : writable)
    EXPECT_EQ(references[page], 1u) << "written by two: page " << page;
}

namespace {

std::function<void()> test_program;

// A letter, and ^C when no group is in the foreground: what the handlers of keys use is shared from
// now on.
void expect_keys() {
  const bool were_enabled = std::exchange(interrupts_enabled, false);
  type_unseen("x\x03");
  interrupts_enabled = were_enabled;
}

void run_test() {
  expect_keys();
  const possessions before = take_stock();
  test_program();
  if (m->chosen.audit) {
    expect_sound_pages();
    expect_same(before, take_stock());
  }
  stop_machine();
}

}  // namespace

machine::machine(const settings& chosen) {
  const std::vector<byte>& disk = root_disk();
  this_machine = {};
  this_machine.chosen = chosen;
  this_machine.disk = disk;
  power_on(this_machine);
}

machine::~machine() {
  if (testing::Test::HasFailure()) std::printf("the machine's console:\n%s\n", console().c_str());
  m = nullptr;
}

void machine::run(std::function<void()> program) {
  test_program = std::move(program);
  set_init(run_test);
  until_stopped([] {
    boot(init);
    idle();
  });
}

void machine::run_bare(const std::function<void()>& body) {
  until_stopped([&] {
    memory_on();
    body();
  });
}

bool machine::panicked() const { return this_machine.panicked; }
const std::string& machine::panic_message() const { return this_machine.panic_message; }
const std::string& machine::power() const { return this_machine.power; }

void set_init(std::function<void()> program) {
  place_code({[run = std::move(program)](u32) { run(); }, true}, ENTRY);
}

void tick(u32 count) {
  for (u32 i = 0; i < count; ++i) timer_tick();
}

void leave_free_pages(u32 pages) {
  while (free_page_count() > pages) m->kept_pages.push_back(get_free_page());
}

void release_memory() {
  for (byte* page : m->kept_pages) free_page(page);
  m->kept_pages.clear();
}

void end_test() { stop_machine(); }

void stop_machine() {
  if (!m || !m->running) std::abort();
  _longjmp(m->leave, 1);
}

void fail(const char* what) {
  ADD_FAILURE() << what;
  stop_machine();
}

void end_power(const char* how) {
  m->power = how;
  stop_machine();
}

void delay_tick() { m->since_tick = duration{NS_PER_TICK}; }

void timer_tick() {
  ++m->ticks;
  m->since_tick = {};
  if (duration{static_cast<i64>(m->ticks) * NS_PER_TICK} > m->chosen.time_limit)
    fail("the test takes too long: all tasks sleep");
  const interrupt_scope here;
  const bool were_enabled = std::exchange(interrupts_enabled, false);
  do_timer(false);
  expect_signals();
  interrupts_enabled = were_enabled;
}

}  // namespace pc

// --- hal/panic.h, kernel/i386/panic.h ---

void panic(const char* format, ...) {
  std::array<char, 512> text;
  std::va_list arguments;
  va_start(arguments, format);
  format_to(text, format, arguments);
  va_end(arguments);
  if (!pc::m || !pc::m->running) {
    std::fprintf(stderr, "panic outside of a machine: %s\n", text.data());
    std::abort();
  }
  pc::m->panicked = true;
  pc::m->panic_message = text.data();
  if (!pc::m->chosen.expect_panic) ADD_FAILURE() << "panic: " << text.data();
  pc::stop_machine();
}

void panic_with_registers(const char* what, const trap_frame&) { panic("%s", what); }

// --- hal/irq.h, kernel/i386/interrupts.h ---

result<void> request_irq(u8 line, bool, irq_handler handler, void* argument) {
  pc::m->handlers.at(line).emplace_back(handler, argument);
  return {};
}

void handle_irq(u8 line) {
  const pc::interrupt_scope here;
  if (line == 0) ++pc::m->ticks;
  for (const auto& [handler, argument] : pc::m->handlers.at(line)) handler(argument);
}

// --- hal/clock.h, kernel/i386/clock.h, power.h ---

instant now() {
  return {pc::m ? static_cast<i64>(pc::m->ticks) * pc::NS_PER_TICK + pc::m->since_tick.ns : 0};
}
u32 boot_date() { return pc::m->boot_date; }
u32 current_time() { return boot_date() + static_cast<u32>(pc::m->ticks / HZ); }
void set_boot_date(u32 seconds) { pc::m->boot_date = seconds; }

void power_off() { pc::end_power("off"); }
void restart() { pc::end_power("restart"); }
void halt() { pc::end_power("halt"); }

// The closing audit finds what is left behind: one thing of each kind, on purpose.
#include "tests/sim/audit.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <new>
#include <utility>

#include "drivers/block/genhd.h"
#include "fs/buffer/buffer_table.h"
#include "fs/checkpoint/region.h"
#include "fs/checkpoint/volume.h"
#include "fs/inode_table.h"
#include "fs/super.h"
#include "hal/clock.h"
#include "hal/memory.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/session.h"
#include "tests/sim/blocks.h"
#include "tests/sim/xhci/machine.h"

namespace sim {
namespace {

// What a test keeps beyond the end of its world, one of each type: it is not destroyed, as the
// kernel of its world is not there any more.
template <class T>
T& keep(T thing) {
  alignas(T) static std::array<byte, sizeof(T)> place;
  return *new (place.data()) T(std::move(thing));
}

// A device whose driver takes no request.
class silent_disk final : public block_device {
 public:
  silent_disk() { identity.sectors = 1u << 10; }

 private:
  void request_fn() override {}
};

struct row {
  const char* told;
  void (*leave)(session&);
};

const row rows[] = {
    {"bytes", [](session&) { static_cast<void>(allocate_pages(1)); }},
    {"requests of the block layer",
     [](session&) {
       static silent_disk disk;
       static test_block block(0);
       block.start(disk, block_command::read, 0);
     }},
    {"pairs of files, or pipes", [](session&) { static_cast<void>(make_pipe()); }},
    {"references to inode",
     [](session& p) { static_cast<void>(open_file(p.context(), "/mnt", abi::o_rdonly, 0)); }},
    {"the mount of sda: it is busy",
     [](session& p) {
       static medium stick(mkfs_minix(200));
       plug_as(stick, sda);
       EXPECT_OK(p.mount());
       static_cast<void>(open_file(p.context(), "/mnt", abi::o_rdonly, 0));
     }},
    {"a lock of inode", [](session&) { all_inodes().back().i_lock = true; }},
    {"a mark of inode", [](session&) { all_inodes().back().i_loading = true; }},
    {"users of a superblock", [](session&) { all_super_blocks().back().s_users = 1; }},
    {"a write error of sda", [](session&) { note_write_error(sda, error::eio); }},
    {"1 uses of block", [](session&) { keep(*bread(dev_id(MAJOR_RAM, 0), block_nr(1))); }},
    {"slots of the region, or reservations",
     [](session&) { EXPECT_TRUE(keep(checkpoint::reservation()).grant(1)); }},
    {"1 uses of sda", [](session&) { checkpoint::volumes[0].uses = 1; }},
    {"1 operations on sda", [](session&) { checkpoint::volumes[0].operations = 1; }},
    {"a refused stick of sda",
     [](session&) {
       static silent_disk disk;
       checkpoint::volumes[0].refused = &disk;
     }},
    {"a writer of the set of sda", [](session&) { checkpoint::volumes[0].writing_slots = true; }},
    {"the name sda", [](session&) { disk_of(sda)->taken = true; }},
};

void leave(const row& what) {
  run(1, [&] {
    session process(boot_with_root());
    what.leave(process);
  });
}

TEST(closing_audit, tells_what_is_left_behind) {
  for (const row& each : rows) {
    SCOPED_TRACE(each.told);
    EXPECT_NONFATAL_FAILURE(leave(each), each.told);
  }
}

void leave_a_port_given_up() {
  usb_machine machine;
  run(1, [&] {
    static_cast<void>(boot_with_root());
    machine.power_on();
    sleep_for(1_s);
    machine.driver().port(2).given_up = true;
  });
}

TEST(closing_audit, tells_of_a_port_that_is_given_up) {
  EXPECT_NONFATAL_FAILURE(leave_a_port_given_up(), "port 2, given up with nothing plugged in");
}

// A kernel task whose second sleep no event ends. Its first one was by the clock, or was not.
void sleep_for_ever(bool first_by_the_clock) {
  wait_queue work, silence;
  run(1, [&, first_by_the_clock] {
    daemon("stuck", [&, first_by_the_clock] {
      if (first_by_the_clock)
        sleep_for(1_ms);
      else
        sleep_on(work);
      for (;;) sleep_on(silence);
    });
    sleep_for(1_s);
    wake_up(work);
    sleep_for(1_s);
  });
}

TEST(closing_audit, tells_of_a_task_that_nothing_wakes) {
  for (const bool by_the_clock : {false, true})
    EXPECT_NONFATAL_FAILURE(sleep_for_ever(by_the_clock),
                            "\"stuck\" sleeps where it does not wait for work");
}

}  // namespace
}  // namespace sim

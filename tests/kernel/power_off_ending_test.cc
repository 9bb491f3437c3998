// Power off while a process is still ending.
#include <gtest/gtest.h>

#include <cstring>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/task.h"
#include "hal/wait.h"
#include "tests/fs/minix_image.h"
#include "tests/pc/machine.h"
#include "tests/pc/program.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

// A stick that takes its time for each request.
class slow_stick final : public block_device {
 public:
  explicit slow_stick(std::vector<byte>& content) : content_(content) {
    identity.sectors = static_cast<u32>(content.size() / SECTOR_SIZE);
    identity.serial = {'s', 'l'};
    removable = true;
    EXPECT_TRUE(kernel_task(
        "slow", [](void* self) { static_cast<slow_stick*>(self)->serve(); }, this));
    media_arrived(*this);
  }

  duration delay = 1_ms;

 private:
  void request_fn() override { wake_up(work_); }
  [[noreturn]] void serve() {
    for (;;) {
      if (request* const r = next_request())
        carry_out(*r);
      else
        sleep_on(work_);
    }
  }
  void carry_out(request& r) {
    sleep_for(delay);
    byte* at = content_.data() + size_t{r.sector.value()} * SECTOR_SIZE;
    for (const buffer_head& bh : r.buffers) {
      if (r.cmd == block_command::write)
        std::memcpy(at, bh.b_data, BLOCK_SIZE);
      else
        std::memcpy(bh.b_data, at, BLOCK_SIZE);
      at += BLOCK_SIZE;
    }
    end_request(r, {});
  }

  std::vector<byte>& content_;
  wait_queue work_;
};

// A program that runs from the stick was removed while it ran. At the machine's end it is ended,
// and its file is freed: the machine waits for that.
TEST(power_off, waits_for_the_end_of_a_process_that_frees_its_program) {
  pc::machine machine({.audit = false});
  std::vector<byte> content = sim::mkfs_minix(300);
  slow_stick* stick = nullptr;
  machine.run([&] {
    stick = new slow_stick(content);  // belongs to the machine
    user::sleep_ms(500);
    user::call(call::mknod, user::text("/tmp/sda"), abi::s_ifblk | 0600, 8 << 8);
    user::call(call::mkdir, user::text("/mnt"), 0755);
    ASSERT_EQ(user::call(call::mount, user::text("/tmp/sda"), user::text("/mnt"), 0, 0), 0);
    constexpr u32 entry = pc::ENTRY + 0x40;
    user::install("/mnt/program", entry, [] {
      for (;;) user::call(call::pause);
    });
    user::fork([] { user::execve("/mnt/program", {"program"}); });
    user::sleep_ms(100);
    EXPECT_EQ(user::call(call::unlink, user::text("/mnt/program")), 0);
    EXPECT_EQ(user::call(call::sync), 0);
    // Other blocks take the places of its blocks in the cache.
    const i32 disk = user::open("/tmp/sda");
    user::call(call::lseek, static_cast<u32>(disk), 150 * 1024, abi::seek_set);
    for (u32 i = 0; i < 120; ++i) user::read(disk, 1024);
    user::close(disk);
    stick->delay = 30_ms;
    user::call(call::reboot, abi::reboot_magic1, abi::reboot_magic2, abi::reboot_power_off, 0);
  });
  EXPECT_EQ(machine.power(), "off");
  const sim::minix_image image(content);
  EXPECT_EQ(image.problem_text(), "");
  EXPECT_EQ(image.state() & 1, 1) << "the file system is not marked as unmounted";
}

}  // namespace

#include "tests/fs/mount_fixture.h"

#include <algorithm>
#include <cstring>

#include "fs/buffer/buffer_table.h"
#include "fs/read_super.h"
#include "hal/clock.h"

using namespace sim;
using checkpoint::volume_state;

namespace {

// Pulls and plugs until it is told to stop.
class puller {
 public:
  explicit puller(medium& stick) : stick_(stick) {}
  void play() {
    while (!stopped_) {
      sleep_for(duration{static_cast<i64>(random_below(60'000'000))});
      constexpr cache_loss losses[] = {cache_loss::none, cache_loss::all, cache_loss::some};
      constexpr in_flight fates[] = {in_flight::old_content, in_flight::new_content,
                                     in_flight::torn};
      pull_from(stick_, sdb, {losses[random_below(3)], fates[random_below(3)]});
      sleep_for(duration{static_cast<i64>(random_below(3'000'000'000))});
      stick_.plug();
      await_state(sdb, volume_state::live);
    }
  }
  void stop() { stopped_ = true; }

 private:
  medium& stick_;
  bool stopped_ = false;
};

}  // namespace

void Mount::in_machine(const std::function<void(fs_context&)>& body, u64 seed) {
  {
    world machine({.seed = seed});
    machine.run([&] {
      boot({.hold = 300_s, .io_wait = 30_s});
      fs_init();
      plug_as(root, sda);
      {
        result<fs_context> ctx = mount_root(sda);
        ASSERT_TRUE(ctx);
        EXPECT_OK(make_directory(*ctx, "/mnt", 0755));
        EXPECT_OK(make_node(*ctx, "/sdb", abi::s_ifblk | 0600, sdb));
        plug_as(stick, sdb);
        body(*ctx);
        check_buffer_invariants();
      }
      umount_all();
      for (medium* each : {&root, &stick})
        if (each->plugged()) each->pull();
    });
  }
  judge(root.durable());
}

void Mount::unfurnish(fs_context& ctx) {
  EXPECT_OK(unlink_path(ctx, "/sdb"));
  EXPECT_OK(remove_directory(ctx, "/mnt"));
}

void Mount::while_it_is_pulled(u64 seed, const std::function<void(fs_context&)>& body) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::ranges::copy(mkfs_minix(1024, 64, 14), stick.bytes().begin());
  in_machine(
      [&](fs_context& ctx) {
        EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
        puller hand(stick);
        const fiber pulling = spawn("hand", [&] { hand.play(); });
        body(ctx);
        hand.stop();
        pulling.join();
        EXPECT_OK(umount_path(ctx, "/mnt", false));
        unfurnish(ctx);
      },
      seed);
  judge(stick.durable());
}

u16 Mount::stored_state() {
  u16 state;
  std::memcpy(&state, stick.durable().data() + 1024 + 18, sizeof state);
  return state;
}

void Mount::put_super(u32 offset, u16 value) {
  std::memcpy(stick.bytes().data() + 1024 + offset, &value, sizeof value);
}

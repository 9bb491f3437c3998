// The simulated machine itself, on which the other tests are built.
#include "tests/sim/scheduler.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <string>

#include "hal/clock.h"
#include "hal/dma.h"
#include "hal/irq.h"
#include "hal/log.h"
#include "hal/memory.h"
#include "hal/mmio.h"
#include "hal/panic.h"
#include "tests/sim/irq.h"
#include "tests/sim/memory.h"
#include "tests/sim/mmio.h"

namespace {

// These tests sleep without looking again.
void run_plainly(u64 seed, std::function<void()> body) {
  sim::world world({.seed = seed, .plain_sleeps = true});
  world.run(std::move(body));
}

TEST(clock, moves_only_while_everybody_sleeps) {
  sim::run(1, [] {
    EXPECT_EQ(now(), instant{0});
    for (int i = 0; i < 1000; ++i) yield();
    EXPECT_EQ(now(), instant{0});
    sleep_for(5_s);
    EXPECT_EQ(now(), instant{0} + 5_s);
  });
}

TEST(clock, can_have_ticks) {
  sim::world world({.seed = 1, .tick = 10_ms});
  world.run([] {
    sleep_for(1_ms);
    EXPECT_EQ(now(), instant{0} + 10_ms);
    sleep_for(10_ms);
    EXPECT_EQ(now(), instant{0} + 20_ms);
  });
}

TEST(sleeping, ends_by_a_wake_up) {
  run_plainly(1, [] {
    wait_queue queue;
    auto sleeper = sim::spawn("sleeper", [&] { EXPECT_EQ(sleep_on(queue), wake_reason::woken); });
    sleep_for(1_s);
    EXPECT_TRUE(sleeper.asleep());
    wake_up(queue);
    sleeper.join();
    EXPECT_TRUE(queue.waiters.empty());
  });
}

TEST(sleeping, ends_at_its_deadline) {
  run_plainly(1, [] {
    wait_queue queue;
    EXPECT_EQ(sleep_on(queue, now() + 30_ms), wake_reason::timed_out);
    EXPECT_EQ(now(), instant{0} + 30_ms);
    EXPECT_TRUE(queue.waiters.empty());
    EXPECT_EQ(sleep_on(queue, now()), wake_reason::timed_out);
  });
}

TEST(sleeping, ends_by_a_signal_only_when_interruptible) {
  run_plainly(1, [] {
    wait_queue queue;
    auto easy = sim::spawn("easy", [&] {
      EXPECT_EQ(interruptible_sleep_on(queue), wake_reason::signalled);
      EXPECT_TRUE(signal_pending());
      EXPECT_EQ(interruptible_sleep_on(queue), wake_reason::signalled) << "it is still pending";
      sim::forget_signal();
      EXPECT_FALSE(signal_pending());
    });
    auto stubborn = sim::spawn("stubborn", [&] { EXPECT_EQ(sleep_on(queue), wake_reason::woken); });
    sleep_for(1_ms);
    easy.signal();
    stubborn.signal();
    easy.join();
    EXPECT_FALSE(stubborn.ended());
    wake_up(queue);
  });
}

// The order in which the book's chain of tmp pointers wakes: the latest sleeper first.
TEST(sleeping, wakes_the_latest_first_in_turn) {
  std::string order;
  sim::world world({.seed = 0});
  world.run([&] {
    wait_queue queue;
    for (const char* name : {"a", "b", "c"})
      sim::spawn(name, [&order, &queue, name] {
        sleep_on(queue);
        order += name;
      });
    sleep_for(1_ms);
    wake_up(queue);
    sleep_for(1_ms);
  });
  EXPECT_EQ(order, "cba");
}

std::string order_with_seed(u64 seed) {
  std::string order;
  sim::world world({.seed = seed});
  world.run([&] {
    for (const char* name : {"a", "b", "c", "d", "e"})
      sim::spawn(name, [&order, name] {
        for (int i = 0; i < 3; ++i) {
          order += name;
          yield();
        }
      });
  });
  return order;
}

TEST(scheduler, is_the_same_for_the_same_seed) {
  EXPECT_EQ(order_with_seed(42), order_with_seed(42));
  EXPECT_NE(order_with_seed(42), order_with_seed(43));
}

TEST(scheduler, tells_a_deadlock_and_who_is_in_it) {
  EXPECT_NONFATAL_FAILURE(run_plainly(1,
                                      [] {
                                        wait_queue queue;
                                        sleep_on(queue);
                                      }),
                          "test: asleep");
}

TEST(scheduler, tells_a_livelock) {
  EXPECT_NONFATAL_FAILURE(sim::run(1,
                                   [] {
                                     for (;;) yield();
                                   }),
                          "livelock");
}

TEST(scheduler, kernel_tasks_may_sleep_for_ever) {
  sim::world world({.seed = 1, .plain_sleeps = true});
  world.run([] {
    const auto body = [](void*) {
      wait_queue queue;
      sleep_on(queue);
    };
    ASSERT_TRUE(kernel_task("idler", body, nullptr));
    sleep_for(1_s);
  });
  EXPECT_EQ(world.kernel_tasks(), std::vector<std::string>{"idler"});
}

TEST(panic, stops_the_world_and_tells_why) {
  sim::world world({.seed = 1, .expect_panic = true});
  bool went_on = false;
  world.run([&] {
    const int two = 2;
    kassert(two == 3);
    went_on = true;
  });
  EXPECT_TRUE(world.panicked());
  EXPECT_NE(world.panic_message().find("two == 3"), std::string::npos);
  EXPECT_FALSE(went_on);
}

TEST(panic, comes_from_a_sleep_where_none_may_be) {
  sim::world world({.seed = 1, .expect_panic = true});
  world.run([] {
    sim::must_not_sleep here;
    sleep_for(1_ms);
  });
  EXPECT_TRUE(world.panicked());
}

TEST(console, keeps_what_printk_says) {
  sim::world world({.seed = 1});
  world.run([] { printk("%d blocks are waiting\n", 37); });
  EXPECT_EQ(world.console(), "37 blocks are waiting\n");
}

struct irq_counter {
  int calls = 0;
  static bool handle(void* self) {
    ++static_cast<irq_counter*>(self)->calls;
    return true;
  }
};

TEST(irq, waits_for_the_mask_to_go) {
  sim::run(1, [] {
    irq_counter counter;
    ASSERT_TRUE(request_irq(11, true, irq_counter::handle, &counter));
    for (const u8 line : std::to_array<u8>({0, 1, 2, 8, 13, 16, 255}))
      EXPECT_EQ(request_irq(line, true, irq_counter::handle, &counter).error(), error::einval);
    sim::raise_irq(11);
    EXPECT_EQ(counter.calls, 1);
    {
      irq_guard outer;
      {
        irq_guard inner;
        sim::raise_irq(11);
      }
      EXPECT_EQ(counter.calls, 1);
    }
    EXPECT_EQ(counter.calls, 2);
  });
}

TEST(irq, comes_while_the_one_who_masks_it_sleeps) {
  sim::run(1, [] {
    irq_counter counter;
    ASSERT_TRUE(request_irq(11, true, irq_counter::handle, &counter));
    irq_guard masked;
    sim::raise_irq(11);
    sleep_for(1_ms);
    EXPECT_EQ(counter.calls, 1);
  });
}

TEST(memory, is_zeroed_counted_and_given_back) {
  sim::world world({.seed = 1, .pages = 4});
  world.run([] {
    EXPECT_EQ(free_page_count(), 4u);
    const auto three = allocate_pages(3);
    ASSERT_EQ(three.size(), 3 * PAGE_SIZE);
    for (byte& b : three) {
      ASSERT_EQ(b, byte{0});
      b = byte{1};
    }
    EXPECT_TRUE(allocate_pages(2).empty());
    free_pages(three);
    EXPECT_EQ(free_page_count(), 4u);
    const auto all = allocate_pages(4);
    EXPECT_EQ(all[0], byte{0});
    free_pages(all);
  });
}

TEST(dma, keeps_its_promises_about_places) {
  sim::run(1, [] {
    for (u32 size : {24u, 4096u, 5000u, 65536u}) {
      auto buffer = dma_buffer::allocate(size, 64);
      ASSERT_TRUE(buffer);
      const u64 first = buffer->address().value();
      EXPECT_EQ(first % 64, 0u);
      EXPECT_EQ(first / 65536, (first + size - 1) / 65536) << size;
      EXPECT_EQ(sim::memory().at(buffer->address(), size), buffer->bytes().data());
      EXPECT_EQ(sim::memory().at(buffer->address(), size + 1), nullptr);
      EXPECT_EQ(dma_address(buffer->bytes().data() + 7), buffer->address() + 7);
    }
    EXPECT_EQ(free_page_count(), total_page_count());
  });
}

struct recorder : sim::mmio_model {
  u32 last = 0;
  u32 read32(u32 offset) override { return offset + 1; }
  void write32(u32 offset, u32 value) override { last = offset ^ value; }
};

TEST(mmio, reaches_the_model) {
  recorder model;
  sim::mmio_region region(phys_addr{0xFEBF0000}, 0x1000, model);
  sim::run(1, [&] {
    const auto window = map_mmio(phys_addr{0xFEBF0000}, 0x1000);
    ASSERT_TRUE(window);
    EXPECT_EQ(window->read32(0x20), 0x21u);
    EXPECT_EQ(window->from(0x100).read32(0), 0x101u);
    window->write32(8, 0xF0);
    EXPECT_EQ(model.last, 0xF8u);
    EXPECT_EQ(map_mmio(phys_addr{0xFEBF0000}, 0x2000).error(), error::einval);
  });
}

}  // namespace

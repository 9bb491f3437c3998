// The limits of USB: what a device tells of itself, the pieces and tries of a command, and rings
// that are gone round.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "drivers/usb/descriptors.h"
#include "drivers/usb/xhci/ring.h"
#include "drivers/usb/xhci/transfer_queue.h"
#include "tests/drivers/usb/ring_reader.h"
#include "tests/drivers/usb/served_stick.h"
#include "tests/fs/session.h"
#include "tests/sim/xhci/machine.h"

namespace usb::storage {
namespace {

using namespace sim;
using bytes = std::vector<byte>;

void append(bytes& row, std::initializer_list<u32> values) {
  for (const u32 value : values) row.push_back(static_cast<byte>(value));
}

// A configuration of so many interfaces, each with so many endpoints; the number of an interface is
// that of its first endpoint.
bytes configuration_of(u32 interfaces, u32 endpoints) {
  bytes row;
  append(row, {9, 2, 0, 0, interfaces, 1, 0, 0, 0});
  for (u32 i = 0; i < interfaces; ++i) {
    append(row, {9, 4, i + 1, 0, endpoints, 8, 6, 0x50, 0});
    for (u32 e = 0; e < endpoints; ++e) append(row, {7, 5, i + 1 + e, 2, 64, 0, 0});
  }
  row[2] = static_cast<byte>(row.size());
  row[3] = static_cast<byte>(row.size() >> 8);
  return row;
}

TEST(boundaries, endpoints_behind_the_fourth_are_left_out) {
  for (const u32 count : {3u, 4u, 5u}) {
    const auto parsed = parse_configuration(configuration_of(2, count));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->interface_count, 2);
    for (u32 i = 0; i < 2; ++i) {
      const interface_info& interface = parsed->interface_list[i];
      ASSERT_EQ(interface.endpoint_count, std::min(count, 4u));
      for (u32 e = 0; e < interface.endpoint_count; ++e)
        EXPECT_EQ(interface.endpoint_list[e].address, i + 1 + e);
    }
  }
}

TEST(boundaries, interfaces_behind_the_eighth_are_left_out_with_their_endpoints) {
  for (const u32 count : {7u, 8u, 9u, 10u}) {
    const auto parsed = parse_configuration(configuration_of(count, 1));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->interface_count, std::min(count, 8u));
    for (u32 i = 0; i < parsed->interface_count; ++i) {
      EXPECT_EQ(parsed->interface_list[i].number, i + 1);
      ASSERT_EQ(parsed->interface_list[i].endpoint_count, 1) << i;
      EXPECT_EQ(parsed->interface_list[i].endpoint_list[0].address, i + 1);
    }
  }
}

std::string letters(u32 count) {
  std::string text(count, '\0');
  for (u32 i = 0; i < count; ++i) text[i] = static_cast<char>('A' + i % 26);
  return text;
}

// A serial number that differs only behind the limit is the same to us, and nothing is written
// behind the field.
TEST(boundaries, a_string_is_cut_to_63_characters) {
  for (const u32 length : {62u, 63u, 64u, 126u}) {
    bytes descriptor;
    append(descriptor, {2 * length + 2, 3});
    for (const char c : letters(length)) append(descriptor, {static_cast<u8>(c), 0});
    std::array<char, 65> to;
    to.fill('x');
    string_to_ascii(descriptor, std::span(to).first(64));
    EXPECT_EQ(std::string(to.data()), letters(std::min(length, 63u)));
    EXPECT_EQ(to[64], 'x');
  }
}

TEST(boundaries, names_of_full_length_are_told_whole) {
  with_disk(
      [](fake_stick& stick) {
        std::strcpy(stick.facts.serial.data(), letters(63).c_str());
        stick.meddle = [](const command_block_wrapper& cbw, fake_stick::answer& answer) {
          if (cbw.cdb[0] != 0x12 || answer.data.size() < 36) return;
          for (u32 i = 0; i < 24; ++i) answer.data[8 + i] = static_cast<byte>(letters(24)[i]);
        };
      },
      [](served_stick&, block_device& disk) {
        EXPECT_EQ(std::string(disk.identity.vendor.data()), letters(24).substr(0, 8));
        EXPECT_EQ(std::string(disk.identity.product.data()), letters(24).substr(8));
        EXPECT_EQ(std::string(disk.identity.serial.data()), letters(63));
      });
}

// The block layer can address 2^32 - 1 sectors; a further one is not used.
TEST(boundaries, the_largest_disk_is_used_and_one_more_sector_is_not) {
  for (const u32 last : {0xFFFF'FFFDu, 0xFFFF'FFFEu, 0xFFFF'FFFFu, 0u, 1u})
    run(1, [last] {
      fake_stick stick;
      stick.disk.claimed_last_lba = last;
      // Not "out of range": the sector is there, but damaged.
      stick.disk.never_succeeds[read_10] = stick.disk.never_succeeds[read_16] = {3, 0x11, 0};
      served_stick s(stick);
      const block_device* const disk = s.await_arrival();
      const bool usable = last != 0;
      ASSERT_EQ(disk != nullptr, usable) << last;
      if (disk) {
        EXPECT_EQ(disk->identity.sectors, std::max(last, last + 1));
      }
      s.finish();
    });
}

// --- tries

// A command that the device aborts (11, 0, 6) is sent five times, and not once more.
TEST(boundaries, a_command_is_tried_five_times) {
  for (const u32 failures : {4u, 5u, 6u})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.opcodes.clear();
      s.stick.meddle = [&, left = failures](const command_block_wrapper& cbw,
                                            fake_stick::answer&) mutable {
        if (cbw.cdb[0] == request_sense && left > 0) --left;
        s.stick.disk.failures.clear();
        if (cbw.cdb[0] == request_sense && left > 0) s.stick.disk.failures.push_back({0xB, 0, 6});
      };
      s.stick.disk.failures.push_back({0xB, 0, 6});
      EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), failures < 5) << failures;
      EXPECT_EQ(s.stick.count(read_10), 5u) << failures;
      EXPECT_EQ(s.stick.resets, 0u);
      s.stick.meddle = {};
      s.stick.disk.failures.clear();
      EXPECT_TRUE(block.move(disk, block_command::read, 8)) << "and then it works";
    });
}

// The transport fails once: the command is sent again after a reset. It fails twice: an error.
TEST(boundaries, the_transport_may_fail_once) {
  for (const u32 failures : {0u, 1u, 2u, 3u})
    with_disk({}, [=](served_stick& s, block_device& disk) {
      dma_block block;
      s.stick.meddle = [left = failures](const command_block_wrapper& cbw,
                                         fake_stick::answer& answer) mutable {
        if (cbw.cdb[0] != read_10 || left == 0) return;
        --left;
        ++answer.tag;
      };
      EXPECT_EQ(block.move(disk, block_command::read, 8).has_value(), failures < 2) << failures;
      EXPECT_EQ(s.stick.resets, std::min(failures, 2u));
      s.stick.meddle = {};
      EXPECT_TRUE(block.move(disk, block_command::read, 8)) << "and then it works";
      EXPECT_EQ(s.departures, 0u);
    });
}

// A device on which so many control transfers and resets fail first.
class failing_device final : public device {
 public:
  explicit failing_device(u32 failures, error why = error::eio) : left_(failures), why_(why) {}

  u32 asked = 0;

  result<u32> control(const setup_packet&, std::span<byte>, duration) override {
    return fails() ? result<u32>(fail(why_)) : result<u32>(7u);
  }
  result<void> reset() override { return fails() ? result<void>(fail(why_)) : result<void>(); }
  result<void> submit(transfer&) override { return fail(error::eio); }
  result<void> wait(transfer&, instant) override { return fail(error::eio); }
  void settle(transfer&) override {}
  void cancel(u8) override {}
  result<void> clear_halt(u8) override { return fail(error::eio); }
  void release() override {}
  bool gone() const override { return false; }

 private:
  bool fails() {
    ++asked;
    if (left_ == 0) return false;
    --left_;
    return true;
  }

  u32 left_;
  error why_;
};

// A STALL is an answer, and the question is not asked again.
TEST(boundaries, a_descriptor_is_asked_for_three_times) {
  std::array<byte, 18> to;
  for (const error why : {error::eio, error::etimedout, error::epipe})
    for (const u32 failures : {0u, 1u, 2u, 3u, 4u}) {
      failing_device device(failures, why);
      const result<u32> length = get_descriptor(device, descriptor_type::device, 0, 0, to);
      const u32 most = why == error::epipe ? 1 : 3;
      EXPECT_EQ(length, failures < most ? result<u32>(7u) : fail(why)) << failures;
      EXPECT_EQ(device.asked, std::min(failures + 1, most)) << failures;
    }
}

TEST(boundaries, a_device_is_reset_three_times) {
  for (const u32 failures : {0u, 1u, 2u, 3u, 4u}) {
    failing_device device(failures);
    EXPECT_EQ(bring_into_step(device).has_value(), failures < 3) << failures;
    EXPECT_EQ(device.asked, std::min(failures + 1, 3u)) << failures;
  }
}

// A controller that fails five times in a row has a pause of a minute; before that, and after more
// failures with a minute of work between them, a stick on it can be used again at once.
TEST(boundaries, a_controller_is_started_five_times_at_once) {
  struct course {
    u32 failures;
    duration between;
    bool usable;
  };
  for (const course& c : {course{4, 2_s, true}, course{5, 2_s, false}, course{12, 62_s, true}}) {
    medium stick(2048);
    usb_machine machine;
    world world({.time_limit = 5000_s});
    world.run([&] {
      boot();
      machine.power_on();
      stick.plug(machine.port(1));
      for (u32 i = 0; i < c.failures; ++i) {
        sleep_for(c.between);
        machine.controller().break_down();
      }
      sleep_for(10_s);
      EXPECT_EQ(said("it fails again and again"), !c.usable) << c.failures;
      EXPECT_EQ(state_of(sda) == checkpoint::volume_state::live, c.usable) << c.failures;
      sleep_for(c.usable ? 0_s : 60_s);
      EXPECT_EQ(state_of(sda), checkpoint::volume_state::live) << c.failures;
    });
  }
}

// --- transfers

TEST(boundaries, a_transfer_fits_up_to_its_largest_number_of_pieces) {
  run(1, [] {
    std::array<dma_buffer, 3> memory;
    ASSERT_TRUE(xhci::allocate_segments(memory));
    xhci::transfer_queue queue;
    queue.open(memory, 1024);
    for (u32 round = 0; round < 3 * 255; ++round)
      for (const u32 pieces : {511u, 512u}) {
        const std::vector<dma_segment> segments(pieces, dma_segment{phys_addr{0x10000}, 1024});
        transfer t{.endpoint_address = 0x81, .segments = segments};
        ASSERT_TRUE(queue.add(t)) << pieces;
        queue.settle(t);
        EXPECT_EQ(t.actual, pieces * 1024);
      }
  });
}

// A write of up to 128 KiB has its status queued behind the data; the status of a longer one is
// asked for when the data have ended. Each writes all its sectors and no other one.
TEST(boundaries, writes_around_128_kib_arrive_whole) {
  run(1, [] {
    fake_stick stick;
    bulk_only transport(stick, fake_stick::interface());
    const dma_buffer memory = *dma_buffer::allocate(160 * 1024, 4096);
    std::ranges::fill(memory.bytes(), byte{0x5A});
    for (const u32 sectors : {255u, 256u, 257u}) {
      std::vector<dma_segment> segments;
      for (u32 at = 0; at < sectors * SECTOR_SIZE; at += 65536)
        segments.push_back({memory.address() + at, std::min(65536u, sectors * SECTOR_SIZE - at)});
      const lba first{(sectors - 254) * 500};
      for (int i = 0; i < 2; ++i) {  // the first command after power-on tells of it
        const auto reply = transport.execute(read_write_10(true, first, sectors, segments));
        ASSERT_TRUE(reply);
        if (reply->failed) continue;
        EXPECT_EQ(reply->actual, sectors * SECTOR_SIZE);
        break;
      }
      const u32 begin = first.value();
      EXPECT_EQ(stick.storage.newest(begin + sectors - 1)[511], byte{0x5A}) << sectors;
      EXPECT_EQ(stick.storage.newest(begin + sectors)[0], byte{0}) << sectors;
      EXPECT_EQ(stick.storage.newest(begin - 1)[511], byte{0}) << sectors;
    }
  });
}

// --- rings

// A controller that writes events in bursts of odd lengths: the end of the ring comes at every
// place of a burst, and the cycle bit changes many times.
TEST(boundaries, the_event_ring_is_gone_round_many_times) {
  run(1, [] {
    xhci::event_ring ring;
    ASSERT_TRUE(ring.allocate());
    const u64 base = ring.dequeue_address().value();
    u32 place = 0, told = 0, read = 0;
    bool cycle = true;
    for (const u32 burst : {511u, 512u, 1u, 510u, 512u, 7u, 511u, 512u, 512u, 3u, 509u, 101u}) {
      for (u32 i = 0; i < burst; ++i) {
        auto* const t = reinterpret_cast<xhci::trb*>(
            memory().at(phys_addr{base + place * sizeof(xhci::trb)}, sizeof(xhci::trb)));
        *t = {told++, 0, cycle ? 1u : 0u};
        if (++place == xhci::event_ring::size) {
          place = 0;
          cycle = !cycle;
        }
      }
      for (u32 i = 0; i < burst; ++i) {
        const auto event = ring.pop();
        ASSERT_TRUE(event) << read;
        ASSERT_EQ(event->parameter, read++);
      }
      ASSERT_FALSE(ring.pop()) << "nothing more was told";
      ASSERT_EQ(ring.dequeue_address().value(), base + place * sizeof(xhci::trb));
    }
    ring.clear();
    EXPECT_FALSE(ring.pop());
    EXPECT_EQ(ring.dequeue_address().value(), base);
  });
}

// The most transfers of one queue, ended in order and added again, so that its array is gone round.
TEST(boundaries, a_queue_of_transfers_is_gone_round) {
  run(1, [] {
    std::array<dma_buffer, 2> memory;
    ASSERT_TRUE(xhci::allocate_segments(memory));
    xhci::transfer_queue queue;
    queue.open(memory, 512);
    const std::vector<dma_segment> one{{phys_addr{0x10000}, 512}};
    std::array<transfer, 17> transfers;
    for (u32 round = 0; round < 200; ++round) {
      for (const u32 count : {15u, 16u, 17u, 1u}) {
        for (u32 i = 0; i < count; ++i) {
          transfers[i] = {.endpoint_address = 0x81, .segments = one};
          EXPECT_EQ(queue.add(transfers[i]).has_value(), i < 16);
        }
        for (u32 i = 0; i < std::min(count, 16u); ++i) {
          const u64 at = queue.resume_pointer() & ~15ull;
          ASSERT_TRUE(queue.on_event(at, xhci::completion::success, 0));
          ASSERT_TRUE(transfers[i].done) << i;
          ASSERT_FALSE(i + 1 < std::min(count, 16u) && transfers[i + 1].done);
        }
        ASSERT_TRUE(queue.empty());
      }
    }
  });
}

}  // namespace
}  // namespace usb::storage

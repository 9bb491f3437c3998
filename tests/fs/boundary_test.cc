// The limits of the file system and of the buffer cache: −1, the limit itself, +1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "fs/buffer/buffer_table.h"
#include "fs/file_dev.h"
#include "fs/inode.h"
#include "fs/inode_table.h"
#include "fs/minix_format.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/super.h"
#include "hal/clock.h"
#include "tests/drivers/block/manual_disk.h"
#include "tests/fs/checkpoint/numbered_stick.h"
#include "tests/fs/minix_image.h"
#include "tests/fs/minix_machine.h"
#include "tests/fs/mount_fixture.h"
#include "tests/fs/session.h"

using namespace sim;

namespace {

// --- the buffer cache

TEST(boundaries, the_cache_has_the_buffers_that_were_asked_for) {
  const std::pair<u32, u32> sizes[] = {{1, 64},        {63, 64},       {64, 64},
                                       {65, 65},       {127, 127},     {129, 129},
                                       {32767, 32767}, {32768, 32768}, {32769, 32768}};
  for (const auto& [asked, expected] : sizes)
    run(1, [asked = asked, expected = expected] {
      boot({.buffers = asked});
      EXPECT_EQ(buffer_total(), expected) << asked;
      EXPECT_EQ(count_buffers().clean, expected);
      std::vector<const byte*> blocks;
      for (u32 i = 0; i < buffer_total(); ++i) blocks.push_back(buffer_at(i).b_data);
      std::ranges::sort(blocks);
      for (size_t i = 1; i < blocks.size(); ++i)
        ASSERT_GE(blocks[i] - blocks[i - 1], static_cast<std::ptrdiff_t>(BLOCK_SIZE));
      check_buffer_invariants();
    });
}

// The last buffer becomes free just before, or just after, the wait for it is given up.
TEST(boundaries, a_buffer_is_waited_for_30_seconds) {
  for (const duration later : {29'900_ms, 30'100_ms})
    with_stick(1, {.buffers = 64}, [later](medium&) {
      std::vector<buffer_ref> used;
      for (u32 i = 0; i < 64; ++i) used.push_back(std::move(*bread(sda, block_nr{i})));
      const fiber other = spawn("other", [&] {
        sleep_for(later);
        used.pop_back();
      });
      const instant begun = now();
      const bool got = getblk(sda, block_nr{100}).has_value();
      EXPECT_EQ(got, later < 30_s);
      EXPECT_EQ(now() - begun, std::min(later, 30_s));
      other.join();
      EXPECT_TRUE(getblk(sda, block_nr{100})) << "and then it works";
    });
}

// --- contents of files

// A file whose blocks follow each other on the disk, up to a place at which another file's block
// stands between them: what is remembered of a run must not reach past its end.
TEST(boundaries, runs_of_blocks_end_where_they_end) {
  for (const u32 before_the_gap : {31u, 32u, 33u, 64u, 513u})
    on_minix({}, [=](fs_context& ctx) {
      const u32 first = (DIRECT_ZONES + before_the_gap) * 1024, all = first + 40 * 1024;
      const std::string expected = pattern(all);
      EXPECT_OK(write_to(ctx, "/f", std::string_view(expected).substr(0, first)));
      EXPECT_OK(write_to(ctx, "/g", "g"));
      EXPECT_OK(write_at(ctx, "/f", first, std::string_view(expected).substr(first)));
      EXPECT_EQ(read_from(ctx, "/f"), expected);
      const opened f(ctx, "/f", abi::o_rdonly);
      for (u32 block = 0; block < all / 1024; ++block)  // from every place of a run on
        for (const u32 place : {block, block + 1, before_the_gap + 6, before_the_gap + 7}) {
          if (place >= all / 1024) continue;
          EXPECT_OK(seek_file(*f, static_cast<i32>(place * 1024), abi::seek_set));
          ASSERT_EQ(*f.read(1024), expected.substr(place * 1024, 1024)) << place;
        }
    });
}

// A long write is many operations of 16 blocks.
TEST(boundaries, writes_around_the_size_of_an_operation) {
  on_minix({.blocks = 4096}, [](fs_context& ctx) {
    constexpr u32 chunk = 16 * 1024;
    for (const u32 offset : {0u, 1u, 1023u, 1024u})
      for (const u32 size : {chunk - 1024, chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1}) {
        std::string expected = pattern(3 * chunk, 1);
        EXPECT_OK(write_to(ctx, "/f", expected));
        const std::string piece = pattern(size, 2);
        EXPECT_OK(write_at(ctx, "/f", offset, piece));
        expected.replace(offset, size, piece);
        ASSERT_EQ(read_from(ctx, "/f"), expected) << size << " bytes at " << offset;
        EXPECT_OK(unlink_path(ctx, "/f"));
      }
  });
}

// The size of a device is counted in whole blocks, and never more than 32 bits hold.
TEST(boundaries, the_size_of_a_device_is_told_up_to_4_gib) {
  run(1, [] {
    const std::pair<u32, u32> sizes[] = {{1, 0},
                                         {2, 1024},
                                         {3, 1024},
                                         {0x3F'FFFF, 0x7FFF'FC00},
                                         {0x40'0000, 0x8000'0000},
                                         {0x7F'FFFD, 0xFFFF'F800},
                                         {0x7F'FFFE, 0xFFFF'FC00},
                                         {0x7F'FFFF, 0xFFFF'FC00},
                                         {0x80'0000, 0xFFFF'FC00},
                                         {0xFFFF'FFFF, 0xFFFF'FC00}};
    for (const auto& [sectors, bytes] : sizes) {
      manual_disk disk;
      partition_table table{};
      table[0] = {lba{0}, sectors, 0};
      ASSERT_TRUE(add_disk(disk, table));
      EXPECT_EQ(block_device_size(sda), bytes) << sectors;
      release_disk(sda);
    }
  });
}

// --- bitmaps

void set_bit(std::span<byte> map, u32 bit, bool value) {
  const byte mask{static_cast<u8>(1u << bit % 8)};
  map[bit / 8] = value ? map[bit / 8] | mask : map[bit / 8] & ~mask;
}

void put_u16(std::span<byte> image, size_t offset, u32 value) {
  const u16 field = static_cast<u16>(value);
  std::memcpy(image.data() + offset, &field, sizeof field);
}

u32 get_u16(std::span<const byte> image, size_t offset) {
  u16 field;
  std::memcpy(&field, image.data() + offset, sizeof field);
  return field;
}

// Runs `body` with this file system mounted on /mnt. It is not sound: all is in use.
void with_full_disk(std::vector<byte> image, const std::function<void(session&, medium&)>& body) {
  medium stick(std::move(image));
  run(1, [&] {
    session process(boot_with_root({.buffers = 256}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    body(process, stick);
    EXPECT_TRUE(process.umount());
  });
}

// The last inode of the disk can be used, and no bit behind it: also where a block of the bitmap
// ends, and with the most inodes that a disk can have.
TEST(boundaries, the_last_inode_is_used_and_none_behind_it) {
  for (const u32 inodes : {8190u, 8191u, 8192u, 8193u, 65534u, 65535u}) {
    const u32 room = inodes > 10'000 ? 65'535 : 8224;
    std::vector<byte> image = mkfs_minix(room / 32 + 300, room);
    put_u16(image, 1024, inodes);
    const std::span<byte> map = std::span(image).subspan(2048, get_u16(image, 1024 + 4) * 1024);
    for (u32 bit = 0; bit < map.size() * 8; ++bit) set_bit(map, bit, bit < inodes);
    with_full_disk(std::move(image), [=](session& process, medium&) {
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, 1u) << inodes;
      EXPECT_OK(process.write("/mnt/last", "x"));
      EXPECT_EQ(stat_path(process.context(), "/mnt/last")->ino, inodes);
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->ffree, 0u);
      EXPECT_ERROR(error::enospc, process.write("/mnt/more", "x"));
      EXPECT_OK(process.unlink("/mnt/last"));
      EXPECT_OK(process.write("/mnt/more", "y"));
      EXPECT_EQ(stat_path(process.context(), "/mnt/more")->ino, inodes);
      EXPECT_EQ(*process.read("/mnt/more"), "y");
    });
  }
}

TEST(boundaries, the_last_zone_is_used_and_none_behind_it) {
  std::vector<byte> fresh = mkfs_minix(8300, 64);
  const u32 first = get_u16(fresh, 1024 + 8);
  for (const u32 bits : {8190u, 8191u, 8192u, 8193u}) {
    std::vector<byte> image = fresh;
    const u32 zones = first - 1 + bits, imap = get_u16(image, 1024 + 4);
    put_u16(image, 1024 + 2, zones);
    const std::span<byte> map =
        std::span(image).subspan((2 + imap) * 1024, get_u16(image, 1024 + 6) * 1024);
    for (u32 bit = 0; bit < map.size() * 8; ++bit) set_bit(map, bit, bit + 1 < bits);
    with_full_disk(std::move(image), [=](session& process, medium& stick) {
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, 1u);
      EXPECT_OK(process.write("/mnt/last", "the last zone"));
      EXPECT_EQ(statfs_path(process.context(), "/mnt")->bfree, 0u);
      EXPECT_ERROR(error::enospc, process.write("/mnt/more", "x"));
      EXPECT_OK(process.sync_file("/mnt/last"));
      EXPECT_EQ(0, std::memcmp(stick.durable().data() + (zones - 1) * 1024, "the last zone", 13));
      EXPECT_EQ(*process.read("/mnt/last"), "the last zone");
    });
  }
}

// --- tables

// Sticks with four partitions each, and a file system in each of them.
std::vector<byte> four_partitions() {
  constexpr u32 blocks = 100;
  std::vector<byte> image((1 + 4 * blocks) * 1024);
  const std::vector<byte> one = mkfs_minix(blocks, 32, 14);
  for (u32 i = 0; i < 4; ++i) {
    const u32 first = 2 + 2 * blocks * i, sectors = 2 * blocks;
    byte* const to = image.data() + 446 + 16 * i;
    to[4] = byte{0x81};
    std::memcpy(to + 8, &first, 4);
    std::memcpy(to + 12, &sectors, 4);
    std::ranges::copy(one, image.begin() + first * 512);
  }
  image[510] = byte{0x55};
  image[511] = byte{0xAA};
  return image;
}

TEST(boundaries, the_ninth_file_system_is_not_mounted) {
  medium root(mkfs_minix(512)), first(four_partitions(), "FIRST"), second(four_partitions(), "2");
  run(1, [&] {
    boot({.buffers = 256});
    fs_init();
    plug_as(root, sda);
    {
      result<fs_context> ctx = mount_root(sda);
      ASSERT_TRUE(ctx);
      plug_as(first, sdb);
      plug_as(second, dev_id(8, 32));
      const auto device = [](u32 i) { return "/dev" + std::to_string(i); };
      const auto place = [](u32 i) { return "/m" + std::to_string(i); };
      for (u32 i = 0; i < 8; ++i) {
        const dev_id dev(8, static_cast<u8>(i < 4 ? 17 + i : 33 + i - 4));
        EXPECT_OK(make_node(*ctx, device(i), abi::s_ifblk | 0600, dev));
        EXPECT_OK(make_directory(*ctx, place(i), 0755));
      }
      for (u32 i = 0; i < 7; ++i) EXPECT_OK(mount_path(*ctx, device(i), place(i), 0));
      for (int tries = 0; tries < 3; ++tries)
        EXPECT_ERROR(error::enfile, mount_path(*ctx, device(7), place(7), 0));
      for (u32 i = 0; i < 7; ++i) {
        EXPECT_OK(write_to(*ctx, place(i) + "/f", std::to_string(i)));
        EXPECT_EQ(read_from(*ctx, place(i) + "/f"), std::to_string(i));
      }
      EXPECT_OK(umount_path(*ctx, place(3), false));
      EXPECT_OK(mount_path(*ctx, device(7), place(7), 0));
      EXPECT_ERROR(error::enoent, stat_path(*ctx, place(7) + "/f")) << "it is another one";
      EXPECT_EQ(read_from(*ctx, place(6) + "/f"), "6");
      EXPECT_ERROR(error::enfile, mount_path(*ctx, device(3), place(3), 0));
    }
    umount_all();
  });
}

// As many directories are in use as the table of inodes has room for, less one, and one more.
TEST(boundaries, the_last_inode_in_memory_is_used_and_given_back) {
  on_minix({.blocks = 4096, .inodes = 400}, [](fs_context& ctx) {
    const auto path = [](u32 i) {
      return "/p" + std::to_string(i / 150) + "/" + std::to_string(i);
    };
    EXPECT_OK(make_directory(ctx, "/p0", 0755));
    EXPECT_OK(make_directory(ctx, "/p1", 0755));
    for (u32 i = 0; i < 270; ++i) EXPECT_OK(make_directory(ctx, path(i), 0755));
    std::vector<fs_context> processes;
    const auto enter = [&](u32 i) {
      fs_context process = ctx.copy();
      const result<void> entered = change_directory(process, path(i));
      if (entered) processes.push_back(std::move(process));
      return entered;
    };
    // The root is in use too; on the way, the parent is held, and beside it the directory itself.
    u32 entered = 0;
    while (entered < 270 && enter(entered)) ++entered;
    EXPECT_EQ(inodes_in_use(), 255u) << "one place is left, and two are needed";
    EXPECT_ERROR(error::enfile, enter(entered));
    EXPECT_EQ(inodes_in_use(), 255u) << "a call that fails keeps nothing";
    EXPECT_OK(stat_path(ctx, "/p0"));  // for which one place is enough
    processes.pop_back();
    EXPECT_OK(enter(entered));
    EXPECT_ERROR(error::enfile, enter(entered + 1));
    processes.clear();
    EXPECT_OK(enter(entered + 1));
  });
}

// --- names

// A process in a directory so deep can name it; the search for the name of a deeper one ends, as it
// does on a damaged disk.
TEST(boundaries, the_current_directory_is_named_to_a_depth_of_1024) {
  medium stick(mkfs_minix(4096, 1200));
  run(1, [&] {
    session process(boot_with_root({.buffers = 2048, .slots = 512}));
    plug_as(stick, sda);
    ASSERT_TRUE(process.mount());
    fs_context& ctx = process.context();
    EXPECT_OK(change_directory(ctx, "/mnt"));
    std::vector<char> name(4096);
    std::string expected = "/mnt";
    for (u32 depth = 2; depth <= 1025; ++depth) {
      EXPECT_OK(make_directory(ctx, "d", 0755));
      EXPECT_OK(change_directory(ctx, "d"));
      expected += "/d";
      if (depth < 1022) continue;
      const result<u32> length = current_directory(ctx, name);
      if (depth <= 1024) {
        ASSERT_TRUE(length) << depth;
        EXPECT_EQ(std::string(name.data()), expected) << depth;
      } else {
        EXPECT_EQ(length, fail(error::eio));
      }
    }
    EXPECT_OK(change_directory(ctx, "/"));
    EXPECT_TRUE(process.umount());
  });
}

// The path that a message names has 63 characters; of a longer one the start is cut off.
TEST(boundaries, a_path_for_messages_keeps_its_end) {
  for (const u32 length : {62u, 63u, 64u, 65u})
    on_minix({.name_length = 30}, [=](fs_context& ctx) {
      const std::string directory = "/" + std::string(15, 'a') + "/" + std::string(17, 'b');
      EXPECT_OK(make_directory(ctx, directory.substr(0, 16), 0755));
      EXPECT_OK(make_directory(ctx, directory, 0755));
      std::string path = directory + "/";
      while (path.size() < length) path += static_cast<char>('c' + path.size() % 20);
      EXPECT_OK(write_to(ctx, path, "x"));
      const result<inode_ref> inode = namei(ctx, path);
      ASSERT_TRUE(inode);
      EXPECT_EQ(std::string((*inode)->i_path.text.data()),
                length <= 63 ? path : "..." + path.substr(path.size() - 60));
    });
}

TEST_F(Mount, TellsOfDamageTwentyTimes) {
  for (const u32 times : {19u, 20u, 21u, 40u}) {
    const std::vector<byte> good = stick_bytes();
    in_machine([&](fs_context& ctx) {
      EXPECT_OK(mount_path(ctx, "/sdb", "/mnt", 0));
      EXPECT_OK(write_to(ctx, "/mnt/f", "x"));
      {
        const result<inode_ref> inode = namei(ctx, "/mnt/f");
        ASSERT_TRUE(inode);
        const u16 zone = std::exchange((*inode)->i_zone[0], u16{60'000});
        for (u32 i = 0; i < times; ++i) EXPECT_ERROR(error::eio, read_from(ctx, "/mnt/f"));
        (*inode)->i_zone[0] = zone;
      }
      u32 told = 0;
      const std::string& console = here().console();
      for (size_t at = console.find("damaged file system"); at != console.npos;
           at = console.find("damaged file system", at + 1))
        ++told;
      EXPECT_EQ(told, std::min(times, 20u));
      EXPECT_EQ(get_super(sdb)->s_complaints, times);
      EXPECT_OK(umount_path(ctx, "/mnt", false));
      unfurnish(ctx);
    });
    EXPECT_EQ(stored_state() & 2, 2) << "marked for fsck";
    std::ranges::copy(good, stick.bytes().begin());
  }
}

// --- pipes

struct ends {
  file* out;  // to read
  file* in;   // to write
};

ends open_pipe(u32 written = 0) {
  auto [out, in] = make_pipe();
  EXPECT_TRUE(out && in);
  pipe_ring& ring = *(*in)->f_inode->i_pipe;
  ring.head = ring.tail = written;
  return {*out, *in};
}
result<u32> put(file* f, std::string_view text) {
  return write_open_file(*f, std::as_bytes(std::span(text)));
}
std::string get(file* f, size_t size) {
  std::string text(size, '\0');
  const result<u32> done = read_open_file(*f, std::as_writable_bytes(std::span(text)));
  EXPECT_TRUE(done);
  text.resize(done.value_or(0));
  return text;
}
void close_both(ends pipe) {
  EXPECT_OK(close_file(*pipe.out));
  EXPECT_OK(close_file(*pipe.in));
}

// A write of up to a pipe's size waits until it fits as a whole; a longer one begins at once. Also
// when the counters of the ring go past 2^32.
TEST(boundaries, writes_up_to_the_size_of_a_pipe_are_never_divided) {
  for (const u32 written : {0u, 4095u, 0xFFFF'F000u, 0xFFFF'FFFFu})
    for (const u32 size : {4095u, 4096u, 4097u})
      for (const u32 inside : {0u, 1u, 2u})
        run(1, [=] {
          const ends pipe = open_pipe(written);
          if (inside) {
            EXPECT_EQ(put(pipe.in, std::string(inside, '#')), inside);
          }
          const std::string text = pattern(size, 3);
          const fiber writer = spawn("writer", [&] { EXPECT_EQ(put(pipe.in, text), size); });
          sleep_for(1_ms);
          const u32 used = stat_file(*pipe.out)->size;
          const bool fits = inside + size <= 4096;
          EXPECT_EQ(used, fits ? inside + size : size <= 4096 ? inside : 4096) << size;
          EXPECT_EQ(writer.ended(), fits);
          std::string all;
          while (all.size() < inside + size) all += get(pipe.out, 1000);
          EXPECT_EQ(all, std::string(inside, '#') + text);
          writer.join();
          EXPECT_EQ(stat_file(*pipe.out)->size, 0u);
          close_both(pipe);
        });
}

TEST(boundaries, a_pipe_without_waiting_takes_what_fits) {
  for (const u32 written : {0u, 0xFFFF'FFF0u})
    run(1, [=] {
      const ends pipe = open_pipe(written);
      pipe.in->f_flags |= abi::o_nonblock;
      EXPECT_EQ(put(pipe.in, std::string(4095, 'a')), 4095u);
      EXPECT_ERROR(error::eagain, put(pipe.in, "bc"));
      EXPECT_EQ(put(pipe.in, "b"), 1u);
      EXPECT_ERROR(error::eagain, put(pipe.in, "c"));
      EXPECT_EQ(get(pipe.out, 4096), std::string(4095, 'a') + "b");
      EXPECT_EQ(put(pipe.in, std::string(4097, 'd')), 4096u);
      EXPECT_EQ(get(pipe.out, 5000), std::string(4096, 'd'));
      close_both(pipe);
    });
}

// --- reports

TEST(boundaries, a_missing_stick_is_reported_after_2_s_and_then_every_minute) {
  const std::pair<duration, u32> moments[] = {{1'900_ms, 0},  {2'100_ms, 1},   {61'900_ms, 1},
                                              {62'100_ms, 2}, {121'900_ms, 2}, {122'100_ms, 3}};
  for (const auto& [at, reports] : moments)
    with_stick(1, {}, [at = at, reports = reports](medium& stick) {
      ASSERT_TRUE(fill_block(sda, 5, 0x55));
      pull_from(stick, sda);
      here().clear_console();
      sleep_for(checkpoint::volume_of(sda)->pulled_at + at - now());
      u32 told = 0;
      const std::string console = here().console();
      for (size_t place = console.find("Replug "); place != console.npos;
           place = console.find("Replug ", place + 1))
        ++told;
      EXPECT_EQ(told, reports) << at.milliseconds() << " ms";
      plug_as(stick, sda);
    });
}

}  // namespace

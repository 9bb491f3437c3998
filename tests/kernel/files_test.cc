// Descriptors: their limits, what dup and fcntl share, and what a failure leaves.
#include <gtest/gtest.h>

#include <vector>

#include "fs/inode.h"
#include "hal/memory.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/user_memory.h"
#include "mm/layout.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }
i32 dup(i32 fd) { return user::call(call::dup, static_cast<u32>(fd)); }
i32 dup2(i32 from, i32 to) {
  return user::call(call::dup2, static_cast<u32>(from), static_cast<u32>(to));
}
i32 fcntl(i32 fd, u32 command, u32 argument = 0) {
  return user::call(call::fcntl, static_cast<u32>(fd), command, argument);
}
void close_all() {
  for (u32 fd = 0; fd < NR_OPEN; ++fd) user::call(call::close, fd);
}

TEST(files, the_lowest_free_descriptor_up_to_the_last_one) {
  pc::machine machine;
  machine.run([] {
    for (i32 fd = 0; fd < static_cast<i32>(NR_OPEN); ++fd) EXPECT_EQ(user::open("/tmp"), fd);
    const u32 references = current->filp[0]->f_inode.get()->i_count;
    EXPECT_EQ(user::open("/tmp"), minus(error::emfile));
    EXPECT_EQ(dup(0), minus(error::emfile));
    EXPECT_EQ(fcntl(0, abi::f_dupfd, NR_OPEN - 1), minus(error::emfile));
    EXPECT_EQ(user::call(call::pipe, user::room(8)), minus(error::emfile));
    EXPECT_EQ(user::open("/tmp/new", abi::o_creat | abi::o_wronly), minus(error::emfile));
    EXPECT_EQ(user::call(call::access, user::text("/tmp/new"), 0), minus(error::enoent))
        << "no file was created";
    EXPECT_EQ(current->filp[0]->f_inode.get()->i_count, references);
    EXPECT_EQ(user::close(7), 0);
    EXPECT_EQ(user::close(3), 0);
    EXPECT_EQ(dup(31), 3);
    EXPECT_EQ(user::open("/tmp"), 7);
    close_all();
  });
}

TEST(files, numbers_outside_of_the_table) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp");
    for (const i32 bad :
         {1, static_cast<i32>(NR_OPEN) - 1, static_cast<i32>(NR_OPEN), -1, INT32_MIN}) {
      EXPECT_EQ(user::close(bad), minus(error::ebadf)) << bad;
      EXPECT_EQ(dup(bad), minus(error::ebadf)) << bad;
      EXPECT_EQ(dup2(bad, fd), minus(error::ebadf)) << bad;
      EXPECT_EQ(fcntl(bad, abi::f_getfd), minus(error::ebadf)) << bad;
      EXPECT_EQ(user::call(call::read, static_cast<u32>(bad), pc::DATA_START, 1),
                minus(error::ebadf));
      EXPECT_EQ(user::call(call::fsync, static_cast<u32>(bad)), minus(error::ebadf)) << bad;
    }
    EXPECT_EQ(dup2(fd, NR_OPEN), minus(error::ebadf));
    EXPECT_EQ(dup2(fd, -1), minus(error::ebadf));
    EXPECT_EQ(fcntl(fd, abi::f_dupfd, NR_OPEN), minus(error::einval));
    EXPECT_EQ(fcntl(fd, abi::f_dupfd, ~0u), minus(error::einval));
    EXPECT_EQ(fcntl(fd, 99), minus(error::einval));
    EXPECT_EQ(dup2(fd, NR_OPEN - 1), static_cast<i32>(NR_OPEN) - 1);
    EXPECT_EQ(user::close(static_cast<i32>(NR_OPEN) - 1), 0);
    EXPECT_EQ(user::close(fd), 0) << "a dup2 that fails closes nothing";
  });
}

TEST(files, dup2_closes_what_was_there) {
  pc::machine machine;
  machine.run([] {
    user::make_file("/tmp/a", {byte{'a'}, byte{'b'}});
    const i32 a = user::open("/tmp/a"), other = user::open("/tmp");
    fcntl(other, abi::f_setfd, abi::fd_cloexec);
    m_inode* const directory = current->filp[1]->f_inode.get();
    const u32 before = directory->i_count;
    EXPECT_EQ(dup2(a, other), other);
    EXPECT_EQ(directory->i_count, before - 1);
    EXPECT_EQ(fcntl(other, abi::f_getfd), 0) << "the mark is not inherited from what was there";
    EXPECT_EQ(user::read(other, 1), "a");
    EXPECT_EQ(user::read(a, 1), "b");
    fcntl(a, abi::f_setfd, abi::fd_cloexec);
    EXPECT_EQ(dup2(a, a), a);
    EXPECT_EQ(fcntl(a, abi::f_getfd), 1) << "dup2 to itself changes nothing";
    EXPECT_EQ(user::read(a, 1), "");
    EXPECT_EQ(current->filp[0]->f_count, 2u);
    EXPECT_EQ(user::close(a), 0);
    EXPECT_EQ(current->filp[1]->f_count, 1u);
    EXPECT_EQ(user::close(other), 0);
    user::call(call::unlink, user::text("/tmp/a"));
  });
}

TEST(files, the_mark_belongs_to_the_descriptor) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp");
    EXPECT_EQ(fcntl(fd, abi::f_setfd, 1), 0);
    const i32 copy = dup(fd), high = fcntl(fd, abi::f_dupfd, 31);
    EXPECT_EQ(high, 31);
    EXPECT_EQ(fcntl(copy, abi::f_getfd), 0);
    EXPECT_EQ(fcntl(high, abi::f_getfd), 0);
    EXPECT_EQ(fcntl(high, abi::f_setfd, 1), 0);
    EXPECT_EQ(fcntl(high, abi::f_getfd), 1);
    EXPECT_EQ(fcntl(fd, abi::f_setfd, 0), 0);
    EXPECT_EQ(fcntl(high, abi::f_getfd), 1);
    user::close(high);
    EXPECT_EQ(current->close_on_exec, 0u) << "the mark goes with the descriptor";
    close_all();
  });
}

TEST(files, flags_that_can_be_changed) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp/f", abi::o_creat | abi::o_rdwr | abi::o_append);
    EXPECT_EQ(fcntl(fd, abi::f_getfl), static_cast<i32>(abi::o_rdwr | abi::o_append));
    EXPECT_EQ(fcntl(fd, abi::f_setfl, abi::o_nonblock | abi::o_wronly | abi::o_trunc), 0);
    EXPECT_EQ(fcntl(fd, abi::f_getfl), static_cast<i32>(abi::o_rdwr | abi::o_nonblock));
    EXPECT_EQ(user::write(fd, "x"), 1);
    user::close(fd);
    user::call(call::unlink, user::text("/tmp/f"));
  });
}

// --- the table of all open files ---

TEST(files, no_file_is_left_of_a_call_that_finds_the_table_full) {
  pc::machine machine;
  machine.run([] {
    std::vector<file*> taken;
    while (const auto one = open_file(current->fs, "/", abi::o_rdonly, 0)) taken.push_back(*one);
    EXPECT_EQ(taken.size(), NR_FILE);
    EXPECT_EQ(user::open("/tmp"), minus(error::enfile));
    EXPECT_EQ(user::call(call::pipe, user::room(8)), minus(error::enfile));
    (void)close_file(*taken.back());
    taken.pop_back();
    const u32 pages = free_page_count();
    EXPECT_EQ(user::call(call::pipe, user::room(8)), minus(error::enfile))
        << "one place for two ends";
    EXPECT_EQ(free_page_count(), pages);
    EXPECT_EQ(user::open("/tmp"), 0) << "the place is free again";
    user::close(0);
    for (file* each : taken) (void)close_file(*each);
  });
}

// --- ioctl ---

TEST(ioctl, demands_writable_memory_only_for_results) {
  pc::machine machine;
  machine.run([] {
    const auto console = static_cast<u32>(user::open("/dev/console", abi::o_rdwr));
    EXPECT_EQ(user::call(call::ioctl, console, abi::tcsets, pc::TEXT_START), 0);
    EXPECT_EQ(user::call(call::ioctl, console, abi::tcgets, pc::TEXT_START), minus(error::efault));
    EXPECT_EQ(user::call(call::ioctl, console, abi::tcsets, 0), minus(error::efault));
    user::close(static_cast<i32>(console));
  });
}

// --- pipe ---

TEST(pipe, needs_two_descriptors) {
  pc::machine machine;
  machine.run([] {
    for (u32 i = 0; i < NR_OPEN - 1; ++i) user::open("/tmp");
    const u32 ends = user::room(8), pages = free_page_count();
    user::put<u64>(ends, 7);
    EXPECT_EQ(user::call(call::pipe, ends), minus(error::emfile));
    EXPECT_EQ(user::get<u64>(ends), 7u);
    EXPECT_EQ(free_page_count(), pages);
    EXPECT_EQ(user::open("/tmp"), static_cast<i32>(NR_OPEN) - 1) << "the last one is still free";
    user::close(5);
    user::close(9);
    EXPECT_EQ(user::call(call::pipe, ends), 0);
    EXPECT_EQ(user::get<u32>(ends), 5u);
    EXPECT_EQ(user::get<u32>(ends + 4), 9u);
    close_all();
  });
}

TEST(pipe, bad_addresses_and_no_memory) {
  pc::machine machine;
  machine.run([] {
    for (const u32 bad : {0u, pc::TEXT_START, pc::DATA_END - 4, KERNEL_BASE})
      EXPECT_EQ(user::call(call::pipe, bad), minus(error::efault)) << std::hex << bad;
    EXPECT_EQ(user::open("/tmp"), 0) << "no descriptor is left of them";
    user::close(0);
    const u32 ends = user::room(8);
    user::put<u64>(ends, 0);
    pc::leave_free_pages(0);
    EXPECT_EQ(user::call(call::pipe, ends), minus(error::enomem));
    pc::release_memory();
    EXPECT_EQ(user::call(call::pipe, ends), 0);
    close_all();
  });
}

TEST(pipe, a_write_without_a_reader_sends_sigpipe) {
  pc::machine machine;
  machine.run([] {
    const u32 ends = user::room(8);
    user::call(call::pipe, ends);
    const i32 to = user::get<i32>(ends + 4);
    user::close(user::get<i32>(ends));
    u32 signals = 0;
    user::set_handler(abi::sigpipe, user::handler([&](u32) { ++signals; }));
    EXPECT_EQ(user::write(to, "x"), minus(error::epipe));
    EXPECT_EQ(signals, 1u);
    user::close(to);
  });
}

// Half of the bytes are written when the writer has to wait. An ignored signal does not end that
// wait, after which the call would have written less than it was told to.
TEST(pipe, an_ignored_signal_does_not_shorten_a_write) {
  pc::machine machine;
  machine.run([] {
    const u32 ends = user::room(8);
    user::call(call::pipe, ends);
    const i32 from = user::get<i32>(ends), to = user::get<i32>(ends + 4);
    const std::string bytes(PAGE_SIZE + PAGE_SIZE / 2, 'w');
    const int writer = user::fork([&] {
      user::set_handler(abi::sigusr1, abi::sig_ign);
      EXPECT_EQ(user::write(to, bytes), static_cast<i32>(bytes.size()));
    });
    user::sleep_ms(20);
    user::kill(writer, abi::sigusr1);  // ignored by its choice
    user::kill(writer, abi::sigchld);  // by default
    user::sleep_ms(20);
    user::close(to);
    size_t seen = 0;
    while (const size_t more = user::read(from, 1000).size()) seen += more;
    EXPECT_EQ(seen, bytes.size());
    EXPECT_EQ(user::wait(), writer);
    user::close(from);
  });
}

// --- user memory ---

// A text of every length around the limit, ending at the last byte of memory or running out of it.
TEST(user_memory, paths_at_their_limit) {
  pc::machine machine;
  machine.run([] {
    const auto path_of = [](u32 length, u32 at) {
      const std::string path = std::string(length - 3, '/') + "tmp";
      user::put_bytes(at, path.c_str(), length + 1);
      return user::call(call::access, at, 0);
    };
    for (const u32 at : {pc::DATA_START + 16, pc::DATA_START + PAGE_SIZE - 500}) {
      EXPECT_EQ(path_of(PATH_MAX - 2, at), 0);
      EXPECT_EQ(path_of(PATH_MAX - 1, at), 0);
      EXPECT_EQ(path_of(PATH_MAX, at), minus(error::enametoolong));
      EXPECT_EQ(path_of(PATH_MAX + 1, at), minus(error::enametoolong));
    }
    user::put<std::array<char, 5>>(pc::DATA_END - 5, {'/', 't', 'm', 'p', 0});
    EXPECT_EQ(user::call(call::access, pc::DATA_END - 5, 0), 0) << "ends with the memory";
    user::put<std::array<char, 4>>(pc::DATA_END - 4, {'/', 't', 'm', 'p'});
    EXPECT_EQ(user::call(call::access, pc::DATA_END - 4, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::access, pc::DATA_END, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::access, KERNEL_BASE - 1, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::access, KERNEL_BASE, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::access, ~0u, 0), minus(error::efault));
    EXPECT_EQ(user::call(call::access, user::text(""), 0), minus(error::enoent));
  });
}

// A name that is one too long for the file system's type, and one that fits.
TEST(user_memory, a_short_text_at_its_limit) {
  pc::machine machine;
  machine.run([] {
    const u32 device = user::text("/dev/null"), directory = user::text("/tmp");
    const auto mount = [&](u32 type) {
      return user::call(call::mount, device, directory, type, 0);
    };
    EXPECT_EQ(mount(user::text("minix")), minus(error::enotblk));
    EXPECT_EQ(mount(user::text("minixminixminix")), minus(error::enodev));
    EXPECT_EQ(mount(user::text("minixminixminixm")), minus(error::enodev));
    EXPECT_EQ(mount(user::text("")), minus(error::enodev));
    user::put<std::array<char, 5>>(pc::DATA_END - 5, {'m', 'i', 'n', 'i', 'x'});
    EXPECT_EQ(mount(pc::DATA_END - 5), minus(error::efault));
    EXPECT_EQ(mount(0), minus(error::enotblk));
    for (u32 at = pc::DATA_END - 16; at < pc::DATA_END; ++at) user::put<char>(at, 'x');
    EXPECT_EQ(mount(pc::DATA_END - 16), minus(error::enodev)) << "it is read so far";
    EXPECT_EQ(mount(pc::DATA_END - 15), minus(error::efault));
  });
}

TEST(user_memory, reads_and_writes_across_a_hole_change_nothing) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp/f", abi::o_creat | abi::o_rdwr);
    EXPECT_EQ(user::write(fd, "hello"), 5);
    const auto io = [&](call which, u32 at, u32 count) {
      return user::call(which, static_cast<u32>(fd), at, count);
    };
    EXPECT_EQ(io(call::write, pc::DATA_END - 2, 4), minus(error::efault));
    EXPECT_EQ(io(call::write, KERNEL_BASE, 4), minus(error::efault));
    user::call(call::lseek, static_cast<u32>(fd), 0, abi::seek_set);
    EXPECT_EQ(io(call::read, pc::DATA_END - 2, 4), minus(error::efault));
    EXPECT_EQ(io(call::read, pc::TEXT_START, 4), minus(error::efault)) << "not writable";
    EXPECT_EQ(io(call::read, pc::DATA_START, ~0u), minus(error::efault));
    EXPECT_EQ(io(call::read, KERNEL_BASE - 1, 2), minus(error::efault));
    EXPECT_EQ(io(call::read, ~0u, 0), 0) << "no bytes, no memory";
    EXPECT_EQ(user::call(call::lseek, static_cast<u32>(fd), 0, abi::seek_cur), 0);
    EXPECT_EQ(io(call::read, pc::DATA_END - 5, 5), 5);
    EXPECT_EQ(io(call::write, pc::TEXT_START, 4), 4) << "the text may be read";
    user::close(fd);
    user::call(call::unlink, user::text("/tmp/f"));
  });
}

// What is copied out in one piece stands across the border of two pages, the second not touched
// yet, or not there at all.
TEST(user_memory, results_across_a_border) {
  pc::machine machine;
  machine.run([] {
    const u32 border = pc::DATA_START + 10 * PAGE_SIZE, root = user::text("/");
    EXPECT_EQ(user::call(call::stat, root, border - 10), 0);
    EXPECT_EQ(user::get<abi::stat>(border - 10).mode & abi::s_ifmt, abi::s_ifdir);
    EXPECT_EQ(user::call(call::stat, root, pc::DATA_END - sizeof(abi::stat)), 0);
    EXPECT_EQ(user::call(call::stat, root, pc::DATA_END - sizeof(abi::stat) + 1),
              minus(error::efault));
    EXPECT_EQ(user::call(call::statfs, root, border + PAGE_SIZE - 3), 0);
    EXPECT_EQ(user::get<abi::statfs>(border + PAGE_SIZE - 3).bsize, 1024u);
  });
}

TEST(user_memory, getcwd_and_its_buffer) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::call(call::chdir, user::text("/sbin")), 0);
    const u32 to = pc::DATA_END - 6;
    EXPECT_EQ(user::call(call::getcwd, to, 6), 6);
    EXPECT_EQ(user::get<u8>(to + 5), 0);
    EXPECT_EQ(user::call(call::getcwd, to, 5), minus(error::erange));
    EXPECT_EQ(user::call(call::getcwd, to, 7), minus(error::efault));
    EXPECT_EQ(user::call(call::getcwd, pc::DATA_START, ~0u), 6);
    EXPECT_EQ(user::call(call::chdir, user::text("/")), 0);
  });
}

}  // namespace

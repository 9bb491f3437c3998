// execve: what a program begins with, what it keeps, and that nothing changes when it fails.
#include <gtest/gtest.h>

#include <cstring>

#include "fs/inode.h"
#include "hal/memory.h"
#include "kernel/arguments.h"
#include "kernel/elf.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "mm/layout.h"
#include "tests/pc/inside.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;
constexpr u32 PROGRAM = 0x0804'8200;

i32 minus(error e) { return -to_errno(e); }

// Runs `body` as the program /bin/p in a child, and returns its status.
u32 run_program(const std::function<void()>& body, const std::vector<std::string>& argv = {"p"},
                const std::vector<std::string>& envp = {}) {
  user::install("/bin/p", PROGRAM, body);
  const int child = user::fork([&] {
    user::execve("/bin/p", argv, envp);
    user::exit(99);
  });
  u32 status = 0;
  EXPECT_EQ(user::waitpid(child, &status), child);
  user::call(call::unlink, user::text("/bin/p"));
  return status;
}

TEST(exec, a_program_gets_its_arguments) {
  pc::machine machine;
  machine.run([] {
    const std::vector<std::string> argv = {"p", "", "two words", std::string(3000, 'l')};
    const std::vector<std::string> envp = {"A=1", "B=", std::string(2000, 'e')};
    const u32 status = run_program(
        [&] {
          const user::start start = user::arguments();
          EXPECT_EQ(start.argv, argv);
          EXPECT_EQ(start.envp, envp);
          user::exit(3);
        },
        argv, envp);
    EXPECT_EQ(status, 3u << 8);
  });
}

TEST(exec, without_any_argument) {
  pc::machine machine;
  machine.run([] {
    run_program(
        [] {
          EXPECT_TRUE(user::arguments().argv.empty());
          EXPECT_TRUE(user::arguments().envp.empty());
        },
        {}, {});
    user::install("/bin/q", PROGRAM, [] { EXPECT_TRUE(user::arguments().argv.empty()); });
    const int child = user::fork([] { user::call(call::execve, user::text("/bin/q"), 0, 0); });
    EXPECT_EQ(user::wait(), child);
    user::call(call::unlink, user::text("/bin/q"));
  });
}

TEST(exec, memory_is_new) {
  pc::machine machine;
  machine.run([] {
    user::put<u32>(pc::DATA_START, 1);
    run_program([] {
      EXPECT_EQ(pc::registers().eax, 0u);
      EXPECT_EQ(pc::registers().ebx, 0u) << "nothing of the kernel is in the registers";
      EXPECT_EQ(user::get<u8>(pc::TEXT_START + 3000), 0x90);
      EXPECT_EQ(user::get<u8>(pc::DATA_START), pc::DATA_BYTE);
      EXPECT_EQ(user::get<u8>(pc::DATA_START + pc::DATA_IN_FILE - 1), pc::DATA_BYTE);
      EXPECT_EQ(user::get<u8>(pc::DATA_START + pc::DATA_IN_FILE), 0) << "behind the file: zeros";
      EXPECT_EQ(user::get<u8>(pc::DATA_END - 5000), 0);
      EXPECT_EQ(user::call(call::brk, 0), static_cast<i32>(pc::HEAP_START));
      user::put<u8>(pc::registers().esp - 100'000, 1);
      EXPECT_EQ(pc::registers().eflags & 0x200, 0x200u);
      EXPECT_EQ(pc::registers().cs & 3, 3u);
    });
    EXPECT_EQ(user::get<u32>(pc::DATA_START), 1u);
  });
}

TEST(exec, the_process_stays) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/p", PROGRAM, [] {
      EXPECT_STREQ(current->comm.data(), "p");
      EXPECT_EQ(current->blocked, signal_bit(abi::sighup));
      EXPECT_EQ(current->sigaction[abi::sigusr1 - 1].handler, abi::sig_ign);
      EXPECT_EQ(current->sigaction[abi::sigusr2 - 1].handler, abi::sig_dfl);
      EXPECT_EQ(current->sigaction[abi::sigusr2 - 1].flags, 0u);
      EXPECT_EQ(current->signal, signal_bit(abi::sighup)) << "a pending signal stays pending";
      EXPECT_GT(user::call(call::alarm, 0), 0);
      EXPECT_EQ(user::call(call::umask, 0), 055);
      EXPECT_EQ(user::call(call::getppid), 1);
      EXPECT_EQ(user::read(0, 2), "ab");
      EXPECT_EQ(user::close(1), minus(error::ebadf)) << "close on exec";
      EXPECT_EQ(user::read(2, 2), "cd") << "a copy without the mark, and one position";
    });
    const int child = user::fork([] {
      user::make_file("/tmp/f", {byte{'a'}, byte{'b'}, byte{'c'}, byte{'d'}});
      user::open("/tmp/f");
      user::call(call::dup, 0);
      user::call(call::dup, 0);
      user::call(call::fcntl, 1, abi::f_setfd, abi::fd_cloexec);
      user::set_handler(abi::sigusr1, abi::sig_ign);
      user::set_handler(abi::sigusr2, user::handler([](u32) {}), abi::sa_restart);
      user::block(signal_bit(abi::sighup));
      user::kill(user::pid(), abi::sighup);
      user::call(call::alarm, 50);
      user::call(call::umask, 055);
      user::execve("/bin/p");
      ADD_FAILURE() << "execve has returned";
    });
    EXPECT_EQ(user::wait(), child);
    user::call(call::unlink, user::text("/tmp/f"));
    user::call(call::unlink, user::text("/bin/p"));
  });
}

TEST(exec, a_name_of_sixteen_letters_is_cut) {
  pc::machine machine;
  machine.run([] {
    for (const std::string name : {"123456789012345", "1234567890123456", "12345678901234567"}) {
      user::install("/bin/" + name, PROGRAM,
                    [&] { EXPECT_EQ(std::string(current->comm.data()), name.substr(0, 15)); });
      const int child = user::fork([&] { user::execve("/bin/" + name); });
      EXPECT_EQ(user::wait(), child);
      user::call(call::unlink, user::text("/bin/" + name));
    }
  });
}

// The name stands in lines of /dev/tasks.
TEST(exec, a_name_shows_nothing_but_letters) {
  pc::machine machine;
  machine.run([] {
    std::string name;
    user::install("/bin/x\n1 0\033\x7f", PROGRAM, [&] { name = current->comm.data(); });
    const int child = user::fork([] { user::execve("/bin/x\n1 0\033\x7f", {"p"}); });
    EXPECT_EQ(user::waitpid(child), child);
    EXPECT_EQ(name, "x?1?0??");
  });
}

// --- failures ---

// The old program is as it was: memory, descriptors, handlers, name.
void expect_unchanged(const std::function<void()>& attempt) {
  const u32 handler = user::handler([](u32) {});
  user::set_handler(abi::sigusr1, handler);
  user::put<u32>(pc::DATA_START + 40, 0x1234);
  const i32 fd = user::open("/tmp");
  user::call(call::fcntl, static_cast<u32>(fd), abi::f_setfd, abi::fd_cloexec);
  const auto* const space = current->space;
  m_inode* const executable = current->executable.get();
  const u32 references = executable->i_count;
  attempt();
  EXPECT_EQ(current->space, space);
  EXPECT_EQ(current->executable.get(), executable);
  EXPECT_EQ(executable->i_count, references);
  EXPECT_EQ(user::get<u32>(pc::DATA_START + 40), 0x1234u);
  EXPECT_EQ(current->sigaction[abi::sigusr1 - 1].handler, handler);
  EXPECT_STREQ(current->comm.data(), "init");
  EXPECT_EQ(user::close(fd), 0);
}

TEST(exec, what_is_no_program_is_not_executed) {
  pc::machine machine;
  machine.run([] {
    user::make_file("/tmp/empty", {});
    user::make_file("/tmp/text", std::vector<byte>(100, byte{'x'}));
    user::make_file("/tmp/plain", pc::program_file().bytes(), 0644);
    expect_unchanged([] {
      EXPECT_EQ(user::execve("/bin/none"), minus(error::enoent));
      EXPECT_EQ(user::execve(""), minus(error::enoent));
      EXPECT_EQ(user::execve("/tmp"), minus(error::eacces));
      EXPECT_EQ(user::execve("/dev/null"), minus(error::eacces));
      EXPECT_EQ(user::execve("/tmp/plain"), minus(error::eacces));
      EXPECT_EQ(user::execve("/tmp/empty"), minus(error::enoexec));
      EXPECT_EQ(user::execve("/tmp/text"), minus(error::enoexec));
      EXPECT_EQ(user::call(call::execve, ~0u, 0, 0), minus(error::efault));
      const u32 init = user::text("/sbin/init");
      EXPECT_EQ(user::call(call::execve, init, ~0u, 0), minus(error::efault));
      EXPECT_EQ(user::call(call::execve, init, 0, KERNEL_BASE), minus(error::efault));
      const u32 vector = pc::DATA_END - 4;
      user::put<u32>(vector, init);  // a vector that runs out of memory before its null
      EXPECT_EQ(user::call(call::execve, init, vector, 0), minus(error::efault));
      user::put<u32>(vector, 0x1000);
      EXPECT_EQ(user::call(call::execve, init, vector, 0), minus(error::efault));
      user::put<u32>(vector, 0);
    });
    // A text of any length may end where memory ends.
    const u32 one_argument = pc::DATA_START;
    for (const u32 size : {1u, 4095u, 4096u, 4097u, 7000u, 8192u, 8193u, 20'000u}) {
      user::put<u32>(one_argument, pc::DATA_END - size);
      user::put<u32>(one_argument + 4, 0);
      for (u32 at = pc::DATA_END - size; at < pc::DATA_END - 1; ++at) user::put<char>(at, 'x');
      user::put<char>(pc::DATA_END - 1, 0);
      EXPECT_EQ(user::call(call::execve, user::text("/tmp/text"), one_argument, 0),
                minus(error::enoexec))
          << size;
    }
    for (const char* path : {"/tmp/empty", "/tmp/text", "/tmp/plain"})
      user::call(call::unlink, user::text(path));
  });
}

// Every page that execve needs is refused once.
TEST(exec, without_memory_at_any_point) {
  pc::machine machine;
  machine.run([] {
    u32 pages = 0;
    bool done = false;
    user::install("/bin/p", PROGRAM, [&] {
      done = true;
      user::exit(0);
    });
    for (; !done; ++pages) {
      const int child = user::fork([&] {
        const u32 path = user::text("/bin/p"), vector = user::room(8);
        user::put<u64>(vector, path);
        const auto* const space = current->space;
        pc::leave_free_pages(pages);
        const i32 result = user::call(call::execve, path, vector, 0);
        EXPECT_EQ(result, minus(error::enomem));
        EXPECT_EQ(free_page_count(), pages);
        EXPECT_EQ(current->space, space);
        pc::release_memory();
        EXPECT_STREQ(current->comm.data(), "init");
        EXPECT_EQ(user::get<u32>(vector), path);
      });
      u32 status = 0;
      user::room(4);
      pc::release_memory();
      EXPECT_EQ(user::waitpid(child, &status), child);
      pc::release_memory();
      EXPECT_EQ(status, 0u);
    }
    EXPECT_GE(pages, 5u) << "arguments, object, directory, table, stack";
    user::call(call::unlink, user::text("/bin/p"));
  });
}

// --- the size of the arguments ---

TEST(arguments, as_many_bytes_as_fit_and_not_one_more) {
  pc::machine machine;
  machine.run([] {
    constexpr u32 most = argument_block::MAX_PAGES * PAGE_SIZE;
    const auto refused_from = [&](u32 first_size) {
      argument_block block;
      EXPECT_TRUE(block.add_argument(std::string(first_size, 'a')));
      u32 size = most;
      while (!block.add_argument(std::string(size, 'b'))) --size;
      EXPECT_LE(block.stack_size(), most + 4);
      EXPECT_GE(block.stack_size(), most - 4) << "no room is wasted";
      return size;
    };
    EXPECT_EQ(refused_from(10), refused_from(11) + 1);
    argument_block block;
    EXPECT_EQ(block.add_argument(std::string(most, 'x')), fail(error::e2big));
    EXPECT_EQ(block.add_argument(std::string(most - 1, 'x')), fail(error::e2big));
    EXPECT_TRUE(block.add_environment("A=1")) << "what is refused takes no room";
  });
}

// Texts that end at, just before and just behind the border of a page.
TEST(arguments, texts_at_the_borders_of_pages) {
  pc::machine machine({.pages = 2048});
  machine.run([] {
    for (u32 size = PAGE_SIZE - 3; size <= PAGE_SIZE + 1; ++size) {
      const std::vector<std::string> argv = {std::string(size, 'a'), "b", std::string(size, 'c'),
                                             ""};
      run_program([&] { EXPECT_EQ(user::arguments().argv, argv); }, argv, {"E=1"});
    }
  });
}

TEST(arguments, too_many_are_refused_by_execve) {
  pc::machine machine({.pages = 2048});
  machine.run([] {
    user::call(call::brk, pc::HEAP_START + 64 * PAGE_SIZE);
    const u32 vector = pc::HEAP_START, text = user::text("x");
    const u32 init = user::text("/sbin/init");
    for (u32 i = 0; i < 30'000; ++i) user::put<u32>(vector + 4 * i, text);
    expect_unchanged([&] {
      EXPECT_EQ(user::call(call::execve, init, vector, 0), minus(error::e2big));
      EXPECT_EQ(user::call(call::execve, init, 0, vector), minus(error::e2big));
    });
    user::call(call::brk, pc::HEAP_START);
  });
}

// --- ELF files ---

i32 try_file(const pc::program_file& file, size_t cut = 0) {
  std::vector<byte> bytes = file.bytes();
  bytes.resize(bytes.size() - cut);
  user::make_file("/tmp/p", bytes);
  const i32 result = user::execve("/tmp/p");
  return result;
}

void expect_no_program(const std::function<void(pc::program_file&)>& spoil, const char* what) {
  pc::program_file file;
  spoil(file);
  EXPECT_EQ(try_file(file), minus(error::enoexec)) << what;
}

TEST(elf, every_bad_number_is_noticed) {
  pc::machine machine;
  machine.run([] {
    for (u32 i = 0; i < 7; ++i)
      expect_no_program([=](pc::program_file& f) { ++f.header.e_ident[i]; }, "identification");
    expect_no_program([](auto& f) { f.header.e_type = 3; }, "type");
    expect_no_program([](auto& f) { f.header.e_machine = 62; }, "machine");
    expect_no_program([](auto& f) { f.header.e_version = 2; }, "version");
    expect_no_program([](auto& f) { f.header.e_phentsize = 31; }, "header size");
    expect_no_program([](auto& f) { f.header.e_phnum = 0; }, "no headers");
    expect_no_program([](auto& f) { f.header.e_phnum = 17; }, "too many headers");
    expect_no_program([](auto& f) { f.header.e_phoff = 0x4000'0000; }, "headers beyond 1 GiB");
    expect_no_program([](auto& f) { f.header.e_phoff = 100'000; }, "headers behind the end");
    expect_no_program([](auto& f) { f.header.e_entry = pc::DATA_END; }, "entry behind all");
    expect_no_program([](auto& f) { f.header.e_entry = pc::TEXT_START - 1; }, "entry before all");
    expect_no_program([](auto& f) { f.header.e_entry = pc::TEXT_START + PAGE_SIZE; },
                      "entry in a gap");
    expect_no_program([](auto& f) { f.segments[1].p_filesz = f.segments[1].p_memsz + 1; }, "sizes");
    expect_no_program([](auto& f) { f.segments[1].p_vaddr = PAGE_SIZE - 1; }, "the first page");
    expect_no_program([](auto& f) { f.segments[1].p_memsz = 0xFFFF'FFFF; }, "wrap-around");
    expect_no_program([](auto& f) { f.segments[1].p_vaddr = 0xFFFF'F000; }, "in the kernel");
    expect_no_program([](auto& f) { f.segments[1].p_offset = 0x7FFF'FFFF; }, "offset");
    expect_no_program([](auto& f) { f.segments[1].p_vaddr = pc::TEXT_START + PAGE_SIZE - 1; },
                      "overlap");
    expect_no_program([](auto& f) { f.segments[1].p_type = 3; }, "an interpreter");
    expect_no_program(
        [](auto& f) {
          f.segments[1].p_vaddr = USER_STACK_TOP - USER_STACK_MAX - f.segments[1].p_memsz + 1;
        },
        "one byte into the stack");
    user::call(call::unlink, user::text("/tmp/p"));
  });
}

TEST(elf, segments_at_the_limits) {
  pc::machine machine;
  machine.run([] {
    const auto accepted = [](const std::function<void(pc::program_file&)>& change) {
      pc::program_file file(PROGRAM);
      change(file);
      user::make_file("/tmp/p", file.bytes());
      const int child = user::fork([] { user::exit(user::execve("/tmp/p") == 0 ? 0 : 1); });
      u32 status = 0;
      EXPECT_EQ(user::waitpid(child, &status), child);
      return status == 0;
    };
    pc::place_code({[](u32) { user::exit(0); }, true}, PROGRAM);
    EXPECT_TRUE(accepted([](auto&) {}));
    EXPECT_TRUE(accepted([](auto& f) {
      f.segments[1].p_vaddr = USER_STACK_TOP - USER_STACK_MAX - f.segments[1].p_memsz;
    })) << "to the stack's last page";
    EXPECT_TRUE(accepted([](auto& f) { f.segments[1].p_vaddr = PAGE_SIZE; }));
    EXPECT_TRUE(accepted([](auto& f) { f.segments[1].p_vaddr = pc::TEXT_START + PAGE_SIZE; }));
    EXPECT_TRUE(accepted([](auto& f) { f.segments[1].p_memsz = f.segments[1].p_filesz = 0; }));
    EXPECT_TRUE(accepted([](auto& f) { f.segments[1].p_type = 4; })) << "a note";
    const auto with_segments = [&](u32 count) {
      return accepted([=](auto& f) {
        for (u32 i = 2; i < count; ++i) {
          program_header more = f.segments[1];
          more.p_vaddr = 0x1000'0000 + i * 0x10'0000;
          f.segments.push_back(more);
        }
        f.header.e_phnum = static_cast<u16>(count);
      });
    };
    EXPECT_TRUE(with_segments(MAX_SEGMENTS));
    EXPECT_FALSE(with_segments(MAX_SEGMENTS + 1));
    user::call(call::unlink, user::text("/tmp/p"));
  });
}

// The data do not begin at a page's start, neither in the file nor in memory.
TEST(elf, a_segment_at_an_odd_place) {
  pc::machine machine;
  machine.run([] {
    pc::program_file file(PROGRAM);
    file.segments[1].p_vaddr = pc::DATA_START + 0x123;
    file.segments[1].p_memsz = 2 * PAGE_SIZE;
    file.segments[1].p_filesz = PAGE_SIZE;
    bool ran = false;
    pc::place_code({[&](u32) {
                      ran = true;
                      constexpr u32 start = pc::DATA_START + 0x123;
                      EXPECT_EQ(user::get<u8>(start - 1), 0);
                      EXPECT_EQ(user::get<u8>(start), pc::DATA_BYTE);
                      EXPECT_EQ(user::get<u8>(pc::DATA_START + PAGE_SIZE), pc::DATA_BYTE);
                      EXPECT_EQ(user::get<u8>(start + PAGE_SIZE - 1), pc::DATA_BYTE);
                      EXPECT_EQ(user::get<u8>(start + PAGE_SIZE), 0);
                      user::exit(0);
                    },
                    true},
                   PROGRAM);
    user::make_file("/tmp/p", file.bytes());
    const int child = user::fork([] { user::execve("/tmp/p"); });
    EXPECT_EQ(user::waitpid(child), child);
    EXPECT_TRUE(ran);
    user::call(call::unlink, user::text("/tmp/p"));
  });
}

// A file that is shorter than its headers say: the page cannot be filled, and the program ends.
TEST(elf, a_file_that_was_cut) {
  pc::machine machine;
  machine.run([] {
    std::vector<byte> bytes = pc::program_file(PROGRAM).bytes();
    bytes.resize(bytes.size() - 1);
    user::make_file("/tmp/p", bytes);
    pc::place_code({[](u32) {
                      EXPECT_EQ(user::get<u8>(pc::DATA_START), pc::DATA_BYTE);
                      user::get<u8>(pc::DATA_START + PAGE_SIZE);
                      ADD_FAILURE() << "the page is there";
                    },
                    true},
                   PROGRAM);
    const int child = user::fork([] { user::execve("/tmp/p"); });
    u32 status = 0;
    EXPECT_EQ(user::waitpid(child, &status), child);
    EXPECT_EQ(status, abi::sigbus);
    user::call(call::unlink, user::text("/tmp/p"));
  });
}

}  // namespace

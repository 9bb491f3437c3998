// fork: what the child has, what it has not, and what is left when it cannot be made.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "fs/inode.h"
#include "hal/memory.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "tests/pc/machine.h"
#include "tests/pc/user.h"

namespace {

using call = abi::syscall;

i32 minus(error e) { return -to_errno(e); }

TEST(fork, a_child_ends_and_is_waited_for) {
  pc::machine machine;
  machine.run([] {
    EXPECT_EQ(user::pid(), 1);
    const int child = user::fork([] {
      EXPECT_NE(user::pid(), 1);
      EXPECT_EQ(user::call(call::getppid), 1);
      user::exit(7);
    });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), child);
    EXPECT_EQ(status, 7u << 8);
    EXPECT_EQ(user::wait(), minus(error::echild));
  });
}

TEST(fork, memory_is_the_childs_own_from_the_first_write_on) {
  pc::machine machine;
  machine.run([] {
    user::put<u32>(pc::DATA_START, 1);
    const int child = user::fork([] {
      EXPECT_EQ(user::get<u32>(pc::DATA_START), 1u);
      user::put<u32>(pc::DATA_START, 2);
      user::sleep_ms(100);
      EXPECT_EQ(user::get<u32>(pc::DATA_START), 2u);
    });
    user::sleep_ms(50);
    EXPECT_EQ(user::get<u32>(pc::DATA_START), 1u);
    user::put<u32>(pc::DATA_START, 3);
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(user::get<u32>(pc::DATA_START), 3u);
  });
}

// The father is woken while its memory is shared, and the kernel writes the status into it.
TEST(fork, the_kernel_writes_into_shared_memory_of_one_process_only) {
  pc::machine machine;
  machine.run([] {
    const u32 status = pc::DATA_START + 8;
    user::put<u32>(status, 77);
    const int first = user::fork([=] {
      user::sleep_ms(200);
      EXPECT_EQ(user::get<u32>(status), 77u);
    });
    const int second = user::fork([] { user::exit(9); });
    EXPECT_EQ(user::call(call::waitpid, static_cast<u32>(second), status, 0), second);
    EXPECT_EQ(user::get<u32>(status), 9u << 8);
    EXPECT_EQ(user::waitpid(first), first);
  });
}

TEST(fork, the_child_inherits) {
  pc::machine machine;
  machine.run([] {
    user::install("/bin/name", 0x0804'8200, [] {
      user::set_handler(abi::sigusr1, abi::sig_ign);
      const u32 handler = user::handler([](u32) {});
      user::set_handler(abi::sigusr2, handler, 0, 5);
      user::block(signal_bit(abi::sighup));
      user::call(call::umask, 077);
      user::call(call::chdir, user::text("/bin"));
      const int father = user::pid(), group = user::call(call::getpgrp);
      const int child = user::fork([=] {
        EXPECT_EQ(current->sigaction[abi::sigusr1 - 1].handler, abi::sig_ign);
        EXPECT_EQ(current->sigaction[abi::sigusr2 - 1].handler, handler);
        EXPECT_EQ(current->sigaction[abi::sigusr2 - 1].mask, 5u);
        EXPECT_EQ(current->blocked, signal_bit(abi::sighup));
        EXPECT_EQ(user::call(call::umask, 022), 077);
        EXPECT_GE(user::open("name"), 0) << "the directory";
        EXPECT_EQ(user::call(call::chdir, user::text("/")), 0);
        EXPECT_EQ(user::call(call::getpgrp), group);
        EXPECT_EQ(current->session, find_process(father)->session);
        EXPECT_STREQ(current->comm.data(), "name");
        EXPECT_EQ(current->executable.get(), find_process(father)->executable.get());
        EXPECT_EQ(current->priority, find_process(father)->priority);
      });
      EXPECT_EQ(user::wait(), child);
      EXPECT_GE(user::open("name"), 0) << "the father's directory is its own";
      EXPECT_EQ(user::call(call::umask, 0), 077);
    });
    EXPECT_GT(user::fork([] { user::execve("/bin/name"); }), 0);
    EXPECT_GT(user::wait(), 0);
    EXPECT_EQ(user::call(call::unlink, user::text("/bin/name")), 0);
  });
}

TEST(fork, the_child_does_not_inherit) {
  pc::machine machine;
  machine.run([] {
    user::block(signal_bit(abi::sigusr1));
    user::set_handler(abi::sigusr1, user::handler([](u32) {}));
    user::kill(1, abi::sigusr1);
    user::call(call::alarm, 100);
    user::compute(3);
    EXPECT_EQ(user::call(call::getppid), 0);
    const int child = user::fork([] {
      EXPECT_EQ(current->signal, 0u) << "pending signals";
      EXPECT_EQ(user::call(call::alarm, 0), 0);
      EXPECT_LT(current->user_ticks, 3u);
      EXPECT_EQ(current->child_user_ticks, 0u);
      EXPECT_FALSE(current->leader);
      EXPECT_EQ(user::wait(), minus(error::echild)) << "its sister is not its child";
    });
    EXPECT_EQ(user::wait(), child);
    EXPECT_GT(user::call(call::alarm, 0), 0);
    EXPECT_TRUE(current->signal & signal_bit(abi::sigusr1));
    user::block(0);
  });
}

TEST(fork, descriptors_share_a_file_and_its_position) {
  pc::machine machine;
  machine.run([] {
    user::make_file("/tmp/shared", std::vector<byte>(10, byte{'x'}));
    const i32 fd = user::open("/tmp/shared", abi::o_rdwr);
    user::call(call::fcntl, static_cast<u32>(fd), abi::f_setfd, abi::fd_cloexec);
    const int child = user::fork([=] {
      EXPECT_EQ(user::call(call::fcntl, static_cast<u32>(fd), abi::f_getfd), 1);
      EXPECT_EQ(user::read(fd, 4), "xxxx");
      EXPECT_EQ(user::close(fd), 0);
      EXPECT_EQ(user::close(fd), minus(error::ebadf));
    });
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(user::call(call::lseek, static_cast<u32>(fd), 0, abi::seek_cur), 4);
    EXPECT_EQ(user::read(fd, 10), "xxxxxx");
    EXPECT_EQ(user::close(fd), 0);
    EXPECT_EQ(user::call(call::unlink, user::text("/tmp/shared")), 0);
  });
}

// --- signals ---

// ^C comes by an interrupt in the middle of fork. Without the child in its group it would end the
// parent alone.
TEST(fork, a_signal_that_comes_first_leaves_no_child) {
  pc::machine machine;
  machine.run([] {
    const int shell = user::fork([] {
      user::call(call::setpgid, 0, 0);
      signal_group(current->pgrp, abi::sigint);
      user::fork([] { ADD_FAILURE() << "the child has missed the signal"; });
      user::exit(1);
    });
    u32 status = 0;
    EXPECT_EQ(user::wait(&status), shell);
    EXPECT_EQ(status, abi::sigint);
    EXPECT_EQ(user::wait(), minus(error::echild));
  });
}

TEST(fork, is_begun_again_after_a_handler) {
  pc::machine machine;
  machine.run([] {
    u32 handled = 0;
    user::set_handler(abi::sigint, user::handler([&](u32) { ++handled; }));
    signal_group(current->pgrp, abi::sigint);
    const int child = user::fork([&] { EXPECT_EQ(handled, 1u); });
    EXPECT_GT(child, 0) << "fork is never interrupted";
    EXPECT_EQ(handled, 1u);
    EXPECT_EQ(user::wait(), child);
  });
}

// --- limits ---

TEST(fork, a_full_process_table) {
  pc::machine machine({.pages = 4096});
  machine.run([] {
    std::vector<int> children;
    int child;
    while ((child = user::fork([] { user::call(call::pause); })) > 0) children.push_back(child);
    EXPECT_EQ(child, minus(error::eagain));
    EXPECT_EQ(children.size(), NR_TASKS - 1) << "task 0 has a place; process 1 has one of its own";
    EXPECT_EQ(std::set<int>(children.begin(), children.end()).size(), children.size());
    EXPECT_EQ(user::fork([] {}), minus(error::eagain));
    user::kill(children[5], abi::sigkill);
    EXPECT_EQ(user::wait(), children[5]);
    const int one_more = user::fork([] { user::exit(3); });
    EXPECT_GT(one_more, 0) << "the place of a process that has ended";
    EXPECT_EQ(user::wait(), one_more);
    user::kill(-1, abi::sigkill);
    for (size_t i = 1; i < children.size(); ++i) EXPECT_GT(user::wait(), 0);
    EXPECT_EQ(user::wait(), minus(error::echild));
  });
}

// Every page that fork needs is refused once. Nothing is left behind, and fork works afterwards.
TEST(fork, without_memory_at_any_point) {
  pc::machine machine;
  machine.run([] {
    const i32 fd = user::open("/tmp");
    user::put<u32>(pc::DATA_START, 5);
    u32 pages = 0;
    int child = 0;
    for (; child <= 0; ++pages) {
      user::text("warm");
      pc::leave_free_pages(pages);
      const u32 files = current->filp[0]->f_count,
                inodes = current->filp[0]->f_inode.get()->i_count;
      child = user::fork([] {});
      if (child <= 0) {
        EXPECT_EQ(child, minus(error::enomem));
        EXPECT_EQ(free_page_count(), pages);
        EXPECT_EQ(current->filp[0]->f_count, files);
        EXPECT_EQ(current->filp[0]->f_inode.get()->i_count, inodes);
      }
      pc::release_memory();
      user::put<u32>(pc::DATA_START, 5);
    }
    EXPECT_GT(pages, 6u) << "a kernel stack, an object, a directory, two tables";
    EXPECT_EQ(user::wait(), child);
    EXPECT_EQ(user::close(fd), 0);
  });
}

// --- numbers ---

// Makes and releases a task, so that the next number is one higher.
void spend_a_number() {
  const result<task_struct*> t = create_task("spender");
  ASSERT_TRUE(t);
  release(**t);
}

void spend_numbers_until(int last) {
  for (int i = 0; i < 60'000; ++i) {
    const result<task_struct*> t = create_task("spender");
    ASSERT_TRUE(t);
    const int pid = (*t)->pid;
    release(**t);
    if (pid == last) return;
  }
  FAIL() << last << " is never given out";
}

TEST(fork, numbers_wrap_around_and_those_in_use_are_left_out) {
  pc::machine machine;
  machine.run([] {
    const int low = user::fork([] { user::call(call::pause); });
    spend_numbers_until(29'997);
    const int high = user::fork([] { user::call(call::pause); });
    EXPECT_EQ(high, 29'998);
    spend_a_number();
    const int highest = user::fork([] { user::call(call::pause); });
    EXPECT_EQ(highest, 30'000);
    std::set<int> seen = {1, low, high, highest};
    for (const task_struct* t : task)
      if (t) seen.insert(t->pid);
    for (int i = 0; i < 10; ++i) {
      const int child = user::fork([] { user::exit(0); });
      EXPECT_FALSE(seen.contains(child)) << child;
      EXPECT_GT(child, 1);
      EXPECT_LT(child, 50);
      EXPECT_EQ(user::waitpid(child), child);
    }
    spend_numbers_until(29'997);
    EXPECT_EQ(user::fork([] { user::exit(0); }), 29'999) << "29998 is in use";
    EXPECT_EQ(user::waitpid(29'999), 29'999);
    user::kill(-1, abi::sigkill);
    while (user::wait() > 0) {
    }
  });
}

TEST(fork, the_number_of_a_living_group_or_session_is_left_out) {
  pc::machine machine;
  machine.run([] {
    int member = 0;
    const int leader = user::fork([&] {
      EXPECT_EQ(user::call(call::setsid), user::pid());
      member = user::fork([] { user::call(call::pause); });
    });
    EXPECT_EQ(user::wait(), leader);
    const int group_leader = user::fork([] { user::call(call::setpgid, 0, 0); });
    EXPECT_EQ(user::waitpid(group_leader), group_leader);
    spend_numbers_until(30'000);
    for (int i = 0; i < 12; ++i) {
      const int child = user::fork([] {});
      EXPECT_NE(child, leader) << "its group and session live on";
      EXPECT_EQ(user::waitpid(child), child);
    }
    user::kill(member, abi::sigkill);
    EXPECT_EQ(user::waitpid(member), member);
  });
}

// The leader has ended; its group lives on in another session's process, or its session in a
// process of another group.
TEST(fork, the_number_of_a_group_alone_is_left_out) {
  pc::machine machine;
  machine.run([] {
    int member = 0;
    const int leader = user::fork([&] {
      user::call(call::setpgid, 0, 0);
      member = user::fork([] { user::call(call::pause); });
    });
    EXPECT_EQ(user::wait(), leader);
    int outsider = 0;
    const int of_session = user::fork([&] {
      user::call(call::setsid);
      outsider = user::fork([] {
        user::call(call::setpgid, 0, 0);
        user::call(call::pause);
      });
      user::sleep_ms(20);
    });
    EXPECT_EQ(user::waitpid(of_session), of_session);
    spend_numbers_until(30'000);
    for (int i = 0; i < 15; ++i) {
      const int child = user::fork([] {});
      EXPECT_NE(child, leader);
      EXPECT_NE(child, of_session);
      EXPECT_EQ(user::waitpid(child), child);
    }
    user::kill(-1, abi::sigkill);
    while (user::wait() > 0) {
    }
  });
}

TEST(fork, a_zombie_keeps_its_number) {
  pc::machine machine;
  machine.run([] {
    const int zombie = user::fork([] {});
    user::sleep_ms(20);
    spend_numbers_until(30'000);
    for (int i = 0; i < 12; ++i) {
      const int child = user::fork([] {});
      EXPECT_NE(child, zombie);
      EXPECT_EQ(user::waitpid(child), child);
    }
    EXPECT_EQ(user::wait(), zombie);
  });
}

}  // namespace

// Pipes: short reads, writes that are not mixed, ends that go away.
#include <gtest/gtest.h>

#include "fs/pipe.h"
#include "hal/clock.h"
#include "tests/fs/minix_machine.h"

using namespace sim;

namespace {

struct ends {
  file* out;  // to read
  file* in;   // to write
};

ends open_pipe() {
  auto [out, in] = make_pipe();
  EXPECT_TRUE(out && in);
  return {*out, *in};
}

result<u32> put(file* f, std::string_view text) {
  return write_open_file(*f, std::as_bytes(std::span(text)));
}
result<std::string> get(file* f, size_t size) {
  std::string text(size, '\0');
  text.resize(TRY(read_open_file(*f, std::as_writable_bytes(std::span(text)))));
  return text;
}
void close_both(ends pipe) {
  EXPECT_OK(close_file(*pipe.out));
  EXPECT_OK(close_file(*pipe.in));
}

TEST(Pipe, AReadTakesWhatIsThere) {
  sim::run(1, [] {
    const ends pipe = open_pipe();
    EXPECT_EQ(put(pipe.in, "hello"), 5u);
    EXPECT_EQ(stat_file(*pipe.out)->size, 5u);
    EXPECT_EQ(get(pipe.out, 3), "hel");
    EXPECT_EQ(get(pipe.out, 100), "lo");
    EXPECT_ERROR(error::espipe, seek_file(*pipe.out, 0, abi::seek_set));
    EXPECT_ERROR(error::ebadf, put(pipe.out, "x"));
    EXPECT_ERROR(error::ebadf, get(pipe.in, 1));
    close_both(pipe);
  });
}

TEST(Pipe, KnowsTheTimeOfItsLastWrite) {
  sim::run(1, [] {
    const ends pipe = open_pipe();
    const u32 made = stat_file(*pipe.out)->mtime;
    EXPECT_EQ(made, current_time());
    sleep_for(seconds(5));
    EXPECT_EQ(stat_file(*pipe.out)->mtime, made);
    EXPECT_EQ(put(pipe.in, "x"), 1u);
    EXPECT_EQ(stat_file(*pipe.out)->mtime, made + 5);
    close_both(pipe);
  });
}

TEST(Pipe, TheEndsTellWhenTheOtherIsGone) {
  sim::run(1, [] {
    ends pipe = open_pipe();
    EXPECT_EQ(put(pipe.in, "last words"), 10u);
    EXPECT_OK(close_file(*pipe.in));
    EXPECT_EQ(get(pipe.out, 100), "last words");
    EXPECT_EQ(get(pipe.out, 100), "") << "the end of the file";
    EXPECT_OK(close_file(*pipe.out));
    pipe = open_pipe();
    EXPECT_OK(close_file(*pipe.out));
    EXPECT_ERROR(error::epipe, put(pipe.in, "x"));
    EXPECT_OK(close_file(*pipe.in));
  });
}

TEST(Pipe, NobodyIsLeftWaiting) {
  sim::run(1, [] {
    const ends pipe = open_pipe();
    const fiber reader = spawn("reader", [&] { EXPECT_EQ(get(pipe.out, 1), ""); });
    sleep_for(1_s);
    EXPECT_TRUE(reader.asleep());
    EXPECT_OK(close_file(*pipe.in));
    reader.join();
    EXPECT_OK(close_file(*pipe.out));

    const ends full = open_pipe();
    const fiber writer = spawn("writer", [&] { EXPECT_EQ(put(full.in, pattern(10'000)), 4096u); });
    sleep_for(1_s);
    EXPECT_TRUE(writer.asleep());
    EXPECT_OK(close_file(*full.out));
    writer.join();
    EXPECT_OK(close_file(*full.in));
  });
}

TEST(Pipe, SignalsAndNonblockEndWaits) {
  sim::run(1, [] {
    const ends pipe = open_pipe();
    const fiber reader = spawn("reader", [&] { EXPECT_ERROR(error::eintr, get(pipe.out, 1)); });
    sleep_for(1_s);
    reader.signal();
    reader.join();
    pipe.out->f_flags |= abi::o_nonblock;
    pipe.in->f_flags |= abi::o_nonblock;
    EXPECT_ERROR(error::eagain, get(pipe.out, 1));
    EXPECT_EQ(put(pipe.in, pattern(5000)), 4096u);
    EXPECT_ERROR(error::eagain, put(pipe.in, "x"));
    close_both(pipe);
  });
}

TEST(Pipe, SmallWritesStayWhole) {
  for_each_seed(30, [](u64 seed) {
    sim::run(seed, [] {
      const ends pipe = open_pipe();
      std::vector<fiber> writers;
      for (char who : {'a', 'b', 'c'})
        writers.push_back(spawn("writer", [&pipe, who] {
          for (u32 i = 0; i < 20; ++i) EXPECT_EQ(put(pipe.in, std::string(1500, who)), 1500u);
        }));
      std::string whole;
      while (whole.size() < 3 * 20 * 1500u) whole += *get(pipe.out, 1 + random_below(3000));
      for (size_t at = 0; at < whole.size(); at += 1500)
        EXPECT_EQ(whole.substr(at, 1500), std::string(1500, whole[at]));
      for (const fiber& writer : writers) writer.join();
      close_both(pipe);
    });
  });
}

TEST(Pipe, RunOutAndComeBack) {
  sim::run(1, [] {
    const u32 pages = free_page_count();
    std::vector<ends> pipes;
    for (;;) {
      auto [out, in] = make_pipe();
      if (!out) {
        EXPECT_EQ(out.error(), error::enfile);
        break;
      }
      pipes.push_back({*out, *in});
    }
    EXPECT_EQ(pipes.size(), NR_FILE / 2);
    for (const ends& pipe : pipes) close_both(pipe);
    EXPECT_EQ(free_page_count(), pages);
  });
}

}  // namespace

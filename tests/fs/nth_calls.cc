#include "tests/fs/nth_calls.h"

#include <array>

#include "fs/minix_format.h"
#include "fs/namei.h"
#include "hal/panic.h"
#include "tests/fs/minix_image.h"

namespace sim {
namespace {

constexpr u32 file_size = 30'000;

bool exists(session& p, const char* path) { return stat_path(p.context(), path).has_value(); }
bool is(session& p, const char* path, const std::string& content) {
  return p.read(path).value_or("") == content;
}

result<void> read_and_compare(session& p) {
  const std::string content = TRY(p.read("/mnt/file"));
  EXPECT_EQ(content, pattern(file_size, 1)) << "a read that succeeds gives what is there";
  return {};
}

result<void> list(session& p) {
  TRY(names_in(p.context(), "/mnt/dir"));
  return {};
}

result<void> walk(session& p) {
  session other = p.fork();
  TRY(change_directory(other.context(), "/mnt/dir/sub"));
  std::array<char, 64> path;
  TRY(current_directory(other.context(), path));
  TRY(access_path(other.context(), "../inner", 4));
  return {};
}

result<void> look(session& p) {
  TRY(stat_path(p.context(), "/mnt/dir/inner"));
  TRY(statfs_path(p.context(), "/mnt"));
  return {};
}

result<void> load(session& p) {
  const program_ref program = TRY(open_program(p.context(), "/mnt/program"));
  std::array<byte, 5000> bytes;
  TRY(read_contents(*program, 3000, bytes));
  return {};
}

result<void> pass_through_a_pipe(session&) {
  const auto [reading, writing] = make_pipe();
  if (!reading) return fail(reading.error());
  std::array<byte, 8> bytes{};
  const result<u32> in = write_open_file(**writing, bytes);
  const result<u32> out = read_open_file(**reading, bytes);
  TRY(close_file(**writing));
  TRY(close_file(**reading));
  TRY(in);
  TRY(out);
  return {};
}

result<void> write_and_fsync(session& p) {
  TRY(p.write_at("/mnt/small", 0, "SMALL"));
  return p.sync_file("/mnt/small");
}

// The last close frees the file; it does not fail when it cannot do so now.
result<void> unlink_and_close(session& p) {
  const result<file*> open = open_file(p.context(), "/mnt/file", abi::o_rdonly, 0);
  if (!open) return open.error() == error::enoent ? result<void>{} : fail(open.error());
  const result<void> unlinked = p.unlink("/mnt/file");
  TRY(close_file(**open));
  return unlinked;
}

// The disk itself, past the file system: a block that no file has.
result<void> write_raw(session& p) {
  return p.write_at("/dev/sda", (nth_blocks - 2) * BLOCK_SIZE, pattern(BLOCK_SIZE, 9));
}

result<void> unmount_and_mount(session& p) {
  const result<void> gone = p.umount();
  if (!gone && gone.error() != error::einval) return gone;  // einval: the first half is done
  return p.mount();
}

const nth_call calls[] = {
    {"read", read_and_compare},
    {"readdir", list},
    {"chdir, getcwd, access", walk},
    {"stat, statfs", look},
    {"program", load},
    {"pipe", pass_through_a_pipe},
    {"creat", [](session& p) { return p.write("/mnt/new", ""); },
     [](session& p) { return exists(p, "/mnt/new"); }},
    {"write a new file", [](session& p) { return p.write("/mnt/dir/new", pattern(12'000, 2)); },
     [](session& p) { return is(p, "/mnt/dir/new", pattern(12'000, 2)); }},
    {"write a large file", [](session& p) { return p.write("/mnt/large", pattern(150'000, 3)); },
     [](session& p) { return is(p, "/mnt/large", pattern(150'000, 3)); }},
    {"replace", [](session& p) { return p.write("/mnt/file", pattern(20'000, 4)); },
     [](session& p) { return is(p, "/mnt/file", pattern(20'000, 4)); }},
    {"overwrite", [](session& p) { return p.write_at("/mnt/file", 9'000, pattern(5'000, 5)); },
     [](session& p) {
       std::string expected = pattern(file_size, 1);
       return is(p, "/mnt/file", expected.replace(9'000, 5'000, pattern(5'000, 5)));
     }},
    {"append", [](session& p) { return p.append("/mnt/small", pattern(3'000, 6)); }},
    {"write behind a hole", [](session& p) { return p.write_at("/mnt/small", 600'000, "far"); },
     [](session& p) { return stat_path(p.context(), "/mnt/small")->size == 600'003; }},
    {"write the raw disk", write_raw},
    {"truncate", [](session& p) { return p.truncate("/mnt/file", 8'500); },
     [](session& p) { return is(p, "/mnt/file", pattern(file_size, 1).substr(0, 8'500)); }},
    {"truncate to nothing", [](session& p) { return p.truncate("/mnt/file", 0); },
     [](session& p) { return is(p, "/mnt/file", ""); }},
    {"truncate to more", [](session& p) { return p.truncate("/mnt/small", 20'000); },
     [](session& p) { return p.read("/mnt/small").value_or("").size() == 20'000; }},
    {"rename", [](session& p) { return p.rename("/mnt/file", "/mnt/renamed"); },
     [](session& p) { return !exists(p, "/mnt/file") && exists(p, "/mnt/renamed"); }},
    {"rename elsewhere", [](session& p) { return p.rename("/mnt/file", "/mnt/dir/sub/file"); },
     [](session& p) { return is(p, "/mnt/dir/sub/file", pattern(file_size, 1)); }},
    {"rename over a file", [](session& p) { return p.rename("/mnt/small", "/mnt/file"); },
     [](session& p) { return is(p, "/mnt/file", "small"); }},
    {"rename a directory", [](session& p) { return p.rename("/mnt/dir/sub", "/mnt/sub"); },
     [](session& p) { return exists(p, "/mnt/sub/..") && !exists(p, "/mnt/dir/sub"); }},
    {"link", [](session& p) { return p.link("/mnt/file", "/mnt/dir/also"); },
     [](session& p) { return is(p, "/mnt/dir/also", pattern(file_size, 1)); }},
    {"unlink", [](session& p) { return p.unlink("/mnt/file"); },
     [](session& p) { return !exists(p, "/mnt/file"); }},
    {"unlink and close", unlink_and_close, [](session& p) { return !exists(p, "/mnt/file"); }},
    {"mkdir", [](session& p) { return p.mkdir("/mnt/dir/sub/new"); },
     [](session& p) { return exists(p, "/mnt/dir/sub/new/.."); }},
    {"rmdir", [](session& p) { return p.rmdir("/mnt/dir/sub"); },
     [](session& p) { return !exists(p, "/mnt/dir/sub"); }},
    {"mknod",
     [](session& p) { return make_node(p.context(), "/mnt/node", abi::s_ifblk | 0600, sdb); },
     [](session& p) { return exists(p, "/mnt/node"); }},
    {"chmod", [](session& p) { return chmod_path(p.context(), "/mnt/small", 0600); },
     [](session& p) { return (stat_path(p.context(), "/mnt/small")->mode & 0777) == 0600; }},
    {"utime", [](session& p) { return utime_path(p.context(), "/mnt/small", 12345); },
     [](session& p) { return stat_path(p.context(), "/mnt/small")->mtime == 12345; }},
    {"write and fsync", write_and_fsync, [](session& p) { return is(p, "/mnt/small", "SMALL"); }},
    {"mount", [](session& p) { return p.mount(); }, nullptr, false},
    {"umount and mount", unmount_and_mount},
};

// Names whose inodes fill the block of the root's inode: those of all others are read apart from
// it.
std::string filler(u32 number) { return "/mnt/filler" + std::to_string(number); }

// The next name in this directory needs one more block.
void fill_block_of_directory(session& p, const std::string& directory) {
  for (u32 i = 0; stat_path(p.context(), directory)->size % BLOCK_SIZE != 0; ++i)
    kassert(p.link(directory + "/inner", directory + "/" + std::to_string(i)));
}

std::vector<byte> make_image() {
  medium stick(mkfs_minix(nth_blocks));
  run(1, [&] {
    session p(boot_with_root());
    plug_as(stick, sda);
    kassert(p.mount());
    for (u32 i = 0; i < INODES_PER_BLOCK; ++i) kassert(p.write(filler(i), ""));
    for (const char* directory : {"/mnt/dir", "/mnt/dir/sub"}) kassert(p.mkdir(directory));
    kassert(p.write("/mnt/file", pattern(file_size, 1)));
    kassert(p.write("/mnt/program", pattern(file_size, 8)));
    kassert(chmod_path(p.context(), "/mnt/program", 0755));
    kassert(p.write("/mnt/small", "small"));
    kassert(p.write("/mnt/dir/inner", "inner"));
    fill_block_of_directory(p, "/mnt/dir");
    kassert(p.write(nth_filler, ""));
    for (u32 i = 0; i < INODES_PER_BLOCK; ++i) kassert(p.unlink(filler(i)));
    kassert(p.umount());
  });
  return {stick.durable().begin(), stick.durable().end()};
}

}  // namespace

std::span<const nth_call> nth_calls() { return calls; }

const std::vector<byte>& nth_image() {
  static const std::vector<byte> image = make_image();
  return image;
}

}  // namespace sim

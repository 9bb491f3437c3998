// Files, directories, descriptors and pipes, as the system calls show them.
//
// It works in a directory of its own below /tmp, or below the directory that is its argument: a
// stick's, for instance.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <utime.h>

#include "user/tests/check.h"

namespace {

void make(const char* path, const char* content) {
  const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, content, strlen(content));
  close(fd);
}

const char* content_of(const char* path) {
  static char text[256];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return "(none)";
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length < 0 ? 0 : length] = 0;
  return text;
}

bool holds(const char* path, const char* content) { return strcmp(content_of(path), content) == 0; }

int size_of(const char* path) {
  struct stat about;
  return stat(path, &about) == 0 ? static_cast<int>(about.st_size) : -1;
}

int links_of(const char* path) {
  struct stat about;
  return stat(path, &about) == 0 ? about.st_nlink : -1;
}

void test_open() {
  check_errno("open of nothing", open("none", O_RDONLY), ENOENT);
  check_errno("open in nothing", open("none/file", O_CREAT | O_WRONLY, 0644), ENOENT);
  make("a", "hello");
  check("write, then read", holds("a", "hello"));
  check_errno("a file is no directory", open("a/b", O_RDONLY), ENOTDIR);
  check_errno("O_EXCL wants a new file", open("a", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
  check_errno("O_DIRECTORY wants a directory", open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
  check_errno("directories are not written", open(".", O_WRONLY), EISDIR);
  make("a", "x");
  check("O_TRUNC empties", holds("a", "x"));
  close(open("a", O_RDWR));
  check("opening alone does not", holds("a", "x"));
  static char name[3000];
  memset(name, 'x', sizeof name - 1);
  check_errno("a path too long", open(name, O_RDONLY), ENAMETOOLONG);
  check_errno("an empty path", open("", O_RDONLY), ENOENT);
  unlink("a");
}

void test_access_mode() {
  make("a", "hello");
  char c;
  int fd = open("a", O_RDONLY);
  check_errno("write without leave", write(fd, "x", 1), EBADF);
  close(fd);
  fd = open("a", O_WRONLY);
  check_errno("read without leave", read(fd, &c, 1), EBADF);
  close(fd);
  fd = open(".", O_RDONLY);
  check_errno("read of a directory", read(fd, &c, 1), EISDIR);
  close(fd);
  unlink("a");
}

void test_descriptors() {
  char c;
  check_errno("read of no descriptor", read(99, &c, 1), EBADF);
  check_errno("read of a negative one", read(-1, &c, 1), EBADF);
  check_errno("close of no descriptor", close(31), EBADF);
  check_errno("dup of no descriptor", dup(31), EBADF);
  check_errno("dup2 to a great one", dup2(1, 1000), EBADF);

  make("a", "hello");
  const int fd = open("a", O_RDWR);
  const int copy = dup(fd);
  lseek(fd, 2, SEEK_SET);
  check("dup shares the offset", read(copy, &c, 1) == 1 && c == 'l');
  const int other = open("a", O_RDONLY);
  check("open does not", read(other, &c, 1) == 1 && c == 'h');
  check("dup2 replaces", dup2(fd, other) == other && read(other, &c, 1) == 1 && c == 'l');
  check("dup2 onto itself", dup2(fd, fd) == fd);
  check("F_DUPFD", fcntl(fd, F_DUPFD, 20) == 20 && close(20) == 0);
  check("F_GETFL", (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
  check("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  close(fd);
  check("a copy outlives its original", lseek(copy, 0, SEEK_SET) == 0);
  close(copy);
  close(other);

  int opened = 0, last = -1;
  for (int n; (n = open("a", O_RDONLY)) >= 0; ++opened) last = n;
  check("descriptors run out", errno == EMFILE && opened > 20);
  for (int n = last; opened-- > 0; --n) close(n);
  unlink("a");
}

void test_lseek() {
  make("a", "0123456789");
  const int fd = open("a", O_RDWR);
  char c;
  check("SEEK_END", lseek(fd, -1, SEEK_END) == 9 && read(fd, &c, 1) == 1 && c == '9');
  check("SEEK_CUR", lseek(fd, -5, SEEK_CUR) == 5 && read(fd, &c, 1) == 1 && c == '5');
  check("SEEK_SET", lseek(fd, 3, SEEK_SET) == 3 && read(fd, &c, 1) == 1 && c == '3');
  check("read at the end", lseek(fd, 0, SEEK_END) == 10 && read(fd, &c, 1) == 0);
  check_errno("before the beginning", lseek(fd, -1, SEEK_SET), EINVAL);
  check_errno("an unknown whence", lseek(fd, 0, 9), EINVAL);
  lseek(fd, 5000, SEEK_SET);
  write(fd, "x", 1);
  check_equal("writing behind the end extends", size_of("a"), 5001);
  bool zeros = true;
  lseek(fd, 10, SEEK_SET);
  for (int i = 10; i < 5000; ++i) zeros = zeros && read(fd, &c, 1) == 1 && c == 0;
  check("with zeros between", zeros);
  close(fd);
  unlink("a");
}

void test_append() {
  make("a", "one");
  const int fd = open("a", O_WRONLY | O_APPEND);
  lseek(fd, 0, SEEK_SET);
  write(fd, "two", 3);
  check("O_APPEND writes at the end", holds("a", "onetwo"));
  fcntl(fd, F_SETFL, 0);
  lseek(fd, 0, SEEK_SET);
  write(fd, "ONE", 3);
  check("until it is taken away", holds("a", "ONEtwo"));
  close(fd);
  unlink("a");
}

void test_truncate() {
  make("a", "0123456789");
  check("truncate cuts", truncate("a", 4) == 0 && holds("a", "0123"));
  const int fd = open("a", O_RDWR);
  check("ftruncate extends", ftruncate(fd, 6) == 0 && size_of("a") == 6);
  char text[6];
  check("with zeros", read(fd, text, 6) == 6 && memcmp(text, "0123\0\0", 6) == 0);
  close(fd);
  check_errno("truncate of a directory", truncate(".", 0), EISDIR);
  check_errno("truncate to a negative length", truncate("a", -1), EINVAL);
  const int again = open("a", O_RDWR);
  check_errno("ftruncate to a negative length", ftruncate(again, -1), EINVAL);
  close(again);
  unlink("a");
}

void test_large_file() {
  static char block[4096], back[4096];
  const int fd = open("large", O_CREAT | O_RDWR | O_TRUNC, 0644);
  bool good = true;
  for (int n = 0; n < 150; ++n) {  // through the direct and the indirect into the double-indirect
    memset(block, 'a' + n % 26, sizeof block);
    good = good && write(fd, block, sizeof block) == sizeof block;
  }
  check("600 KiB written", good && size_of("large") == 150 * 4096);
  lseek(fd, 0, SEEK_SET);
  for (int n = 0; n < 150; ++n) {
    memset(block, 'a' + n % 26, sizeof block);
    good = good && read(fd, back, sizeof back) == sizeof back && !memcmp(block, back, sizeof back);
  }
  check("and read back", good);
  check("fsync", fsync(fd) == 0);
  close(fd);
  struct statfs before, after;
  statfs(".", &before);
  unlink("large");
  statfs(".", &after);
  check("unlink gives the blocks back", after.f_bfree >= before.f_bfree + 600);
}

void test_names() {
  make("a", "A");
  make("b", "B");
  check("link", link("a", "c") == 0 && links_of("a") == 2 && holds("c", "A"));
  check_errno("link over a file", link("a", "b"), EEXIST);
  check_errno("link of a directory", link(".", "d"), EPERM);
  check("rename", rename("c", "d") == 0 && holds("d", "A") && size_of("c") == -1);
  check("rename over a file", rename("a", "b") == 0 && holds("b", "A") && size_of("a") == -1);
  check_errno("rename of nothing", rename("none", "x"), ENOENT);
  check("rename to another name of itself", rename("b", "d") == 0 && holds("b", "A"));
  check_errno("unlink of nothing", unlink("none"), ENOENT);
  check_errno("unlink of a directory", unlink("."), EISDIR);
  unlink("b");
  unlink("d");

  make("a", "still here");
  const int fd = open("a", O_RDONLY);
  unlink("a");
  char text[16] = {};
  check("an unlinked file lives while it is open",
        size_of("a") == -1 && read(fd, text, 10) == 10 && !strcmp(text, "still here"));
  close(fd);
}

void test_directories() {
  check("mkdir", mkdir("dir", 0755) == 0 && links_of("dir") == 2);
  check_errno("mkdir again", mkdir("dir", 0755), EEXIST);
  make("dir/a", "A");
  check_errno("rmdir of a full one", rmdir("dir"), ENOTEMPTY);
  mkdir("dir/sub", 0755);
  check("a subdirectory is a link", links_of("dir") == 3);
  check_errno("rename into itself", rename("dir", "dir/sub/x"), EINVAL);
  check("rename of a directory", rename("dir/sub", "sub") == 0 && links_of("dir") == 2);
  char path[256];
  check("chdir and getcwd",
        chdir("sub") == 0 && getcwd(path, sizeof path) && strstr(path, "/sub") != nullptr);
  check("..", chdir("..") == 0 && size_of("sub") >= 0);
  check_errno("chdir into a file", chdir("dir/a"), ENOTDIR);
  check("getcwd wants room", !getcwd(path, 2) && errno == ERANGE);
  check("rmdir", rmdir("sub") == 0 && size_of("sub") == -1);
  check_errno("rmdir of a file", rmdir("dir/a"), ENOTDIR);

  for (int i = 0; i < 100; ++i) {
    snprintf(path, sizeof path, "dir/file%d", i);
    make(path, "");
  }
  int seen = 0, dots = 0;
  DIR* const directory = opendir("dir");
  while (const dirent* const entry = readdir(directory)) {
    dots += entry->d_name[0] == '.';
    seen += strncmp(entry->d_name, "file", 4) == 0;
  }
  closedir(directory);
  check("getdents tells all names", seen == 100 && dots == 2);
  for (int i = 0; i < 100; ++i) {
    snprintf(path, sizeof path, "dir/file%d", i);
    unlink(path);
  }
  unlink("dir/a");
  check("an emptied directory can go", rmdir("dir") == 0);
}

void test_stat() {
  const mode_t old = umask(027);
  const int fd = open("a", O_CREAT | O_WRONLY, 0666);
  struct stat about;
  fstat(fd, &about);
  check("umask", (about.st_mode & 0777) == 0640 && S_ISREG(about.st_mode));
  umask(old);
  check("chmod", chmod("a", 0600) == 0 && stat("a", &about) == 0 && (about.st_mode & 0777) == 0600);
  const utimbuf times = {1000000000, 1234567890};
  check("utime", utime("a", &times) == 0 && stat("a", &about) == 0 && about.st_mtime == 1234567890);
  check("access", access("a", R_OK | W_OK) == 0 && access("a", F_OK) == 0);
  check_errno("access of nothing", access("none", F_OK), ENOENT);
  close(fd);
  unlink("a");
  check("stat of a device",
        stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == 0x103);
}

void test_devices() {
  char bytes[4] = {1, 2, 3, 4};
  int fd = open("/dev/null", O_RDWR);
  check("/dev/null", read(fd, bytes, 4) == 0 && write(fd, bytes, 4) == 4);
  check_errno("is no terminal", isatty(fd) ? 0 : -1, ENOTTY);
  close(fd);
  fd = open("/dev/zero", O_RDWR);
  check("/dev/zero", read(fd, bytes, 4) == 4 && bytes[0] == 0 && bytes[3] == 0);
  close(fd);
  fd = open("/dev/tasks", O_RDONLY);
  char text[256] = {};
  check("/dev/tasks", read(fd, text, sizeof text - 1) > 0 && strstr(text, "init"));
  close(fd);
  check_errno("a device that is not there", open("/dev/sdh7", O_RDONLY), ENXIO);
}

void test_pipes() {
  int ends[2];
  char c;
  pipe(ends);
  check("a pipe", write(ends[1], "x", 1) == 1 && read(ends[0], &c, 1) == 1 && c == 'x');
  check_errno("has no offset", lseek(ends[0], 0, SEEK_SET), ESPIPE);
  check_errno("its read end is not written", write(ends[0], "x", 1), EBADF);
  check_errno("its write end is not read", read(ends[1], &c, 1), EBADF);
  write(ends[1], "y", 1);
  close(ends[1]);
  check("what was written stays", read(ends[0], &c, 1) == 1 && c == 'y');
  check("then it ends", read(ends[0], &c, 1) == 0);
  close(ends[0]);

  pipe(ends);
  fflush(nullptr);
  if (fork() == 0) {
    close(ends[0]);
    static char block[1000];
    for (int i = 0; i < 100; ++i) write(ends[1], block, sizeof block);
    _exit(0);
  }
  close(ends[1]);
  static char block[777];
  int total = 0;
  for (ssize_t n; (n = read(ends[0], block, sizeof block)) > 0;) total += static_cast<int>(n);
  wait(nullptr);
  check_equal("100000 bytes through a pipe", total, 100000);
  close(ends[0]);
}

}  // namespace

int main(int argc, char** argv) {
  const char* const below = argc > 1 ? argv[1] : "/tmp";
  char directory[128];
  snprintf(directory, sizeof directory, "%s/files.%d", below, getpid());
  if (mkdir(directory, 0755) < 0 || chdir(directory) < 0) {
    perror(directory);
    return 1;
  }
  test_open();
  test_access_mode();
  test_descriptors();
  test_lseek();
  test_append();
  test_truncate();
  test_large_file();
  test_names();
  test_directories();
  test_stat();
  test_devices();
  test_pipes();
  chdir(below);
  check("nothing is left behind", rmdir(directory) == 0);
  finish_checks();
}

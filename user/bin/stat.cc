// stat: everything that the inode says of a file.
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <tool.h>

namespace {

const char* type_name(mode_t mode) {
  if (S_ISDIR(mode)) return "directory";
  if (S_ISCHR(mode)) return "character device";
  if (S_ISBLK(mode)) return "block device";
  if (S_ISFIFO(mode)) return "pipe";
  return "regular file";
}

void print_time(const char* what, time_t when) {
  char text[32];
  strftime(text, sizeof text, "%F %T", gmtime(&when));
  printf("  %-8s %s\n", what, text);
}

void print(const char* path, const struct stat& about) {
  printf("%s: %s\n", path, type_name(about.st_mode));
  printf("  size     %u bytes, %u blocks of 512\n", about.st_size, about.st_blocks);
  printf("  inode    %u on device %u:%u, %u links\n", about.st_ino, major(about.st_dev),
         minor(about.st_dev), about.st_nlink);
  printf("  mode     %04o, owner %u:%u\n", about.st_mode & 07777, about.st_uid, about.st_gid);
  if (S_ISCHR(about.st_mode) || S_ISBLK(about.st_mode))
    printf("  number   %u:%u\n", major(about.st_rdev), minor(about.st_rdev));
  print_time("read", about.st_atime);
  print_time("written", about.st_mtime);
  print_time("changed", about.st_ctime);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv, "FILE...\nShows what the inodes say of files.");
  if (argc < 2) tool::misuse();
  int status = 0;
  for (int n = 1; n < argc; ++n) {
    struct stat about;
    if (lstat(argv[n], &about) < 0)
      status = tool::complain(argv[n]);
    else
      print(argv[n], about);
  }
  return tool::end(status);
}

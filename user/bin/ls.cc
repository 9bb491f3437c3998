// ls: what is in a directory.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <tool.h>
#include <unistd.h>
#include <vector.h>

namespace {

bool long_form, hidden_too, inode_numbers, directory_itself, recursive, one_a_line;
int status;

struct entry {
  char* path;
  const char* name;  // what is printed
  struct stat about;
  bool known;  // `about` is filled in
};

int by_name(const void* a, const void* b) {
  return strcmp(static_cast<const entry*>(a)->name, static_cast<const entry*>(b)->name);
}

void look_at(entry& e) {
  e.known = lstat(e.path, &e.about) == 0;
  if (!e.known) status = tool::complain(e.path);
}

char type_letter(mode_t mode) {
  if (S_ISDIR(mode)) return 'd';
  if (S_ISCHR(mode)) return 'c';
  if (S_ISBLK(mode)) return 'b';
  if (S_ISFIFO(mode)) return 'p';
  return '-';
}

void print_mode(mode_t mode) {
  putchar(type_letter(mode));
  for (int bit = 8; bit >= 0; --bit) putchar(mode >> bit & 1 ? "xwr"[bit % 3] : '-');
}

void print_long(const entry& e) {
  print_mode(e.about.st_mode);
  printf(" %3u %u:%u ", e.about.st_nlink, e.about.st_uid, e.about.st_gid);
  if (S_ISCHR(e.about.st_mode) || S_ISBLK(e.about.st_mode))
    printf("%4u, %3u", major(e.about.st_rdev), minor(e.about.st_rdev));
  else
    printf("%9u", e.about.st_size);
  char when[32];
  const time_t changed = e.about.st_mtime;
  strftime(when, sizeof when, "%F %H:%M", localtime(&changed));
  printf(" %s %s\n", when, e.name);
}

int screen_width() {
  struct winsize size;
  if (!isatty(1)) return 0;
  return ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void print_columns(vector<entry>& entries, int width) {
  int widest = 1;
  for (entry& e : entries) {
    const int length = static_cast<int>(strlen(e.name)) + (inode_numbers ? 6 : 0);
    if (length > widest) widest = length;
  }
  const int count = static_cast<int>(entries.size());
  const int columns = width / (widest + 2) > 1 ? width / (widest + 2) : 1;
  const int rows = (count + columns - 1) / columns;
  for (int row = 0; row < rows; ++row) {
    for (int n = row; n < count; n += rows) {
      const entry& e = entries[static_cast<size_t>(n)];
      if (inode_numbers) printf("%5u ", e.about.st_ino);
      const int field = n + rows < count ? widest + 2 - (inode_numbers ? 6 : 0) : 0;
      printf("%-*s", field, e.name);
    }
    putchar('\n');
  }
}

void print(vector<entry>& entries) {
  const int width = screen_width();
  if (!long_form && !one_a_line && width > 0) return print_columns(entries, width);
  for (entry& e : entries) {
    if (inode_numbers) printf("%5u ", e.about.st_ino);
    if (long_form && e.known)
      print_long(e);
    else
      puts(e.name);
  }
}

vector<entry> read_directory(const char* path) {
  vector<entry> entries;
  DIR* directory = opendir(path);
  if (!directory) {
    status = tool::complain(path);
    return entries;
  }
  errno = 0;
  while (const dirent* found = readdir(directory)) {
    if (found->d_name[0] == '.' && !hidden_too) continue;
    entry e = {tool::join(path, found->d_name), nullptr, {}, false};
    e.name = tool::base_name(e.path);
    e.about.st_ino = found->d_ino;
    if (long_form || recursive) look_at(e);
    entries.push_back(e);
  }
  if (errno) status = tool::complain(path);
  closedir(directory);
  qsort(entries.begin(), entries.size(), sizeof(entry), by_name);
  return entries;
}

void list_directory(const char* path, bool with_title) {
  vector<entry> entries = read_directory(path);
  if (with_title) printf("%s:\n", path);
  print(entries);
  for (entry& e : entries) {
    const bool upwards = strcmp(e.name, ".") == 0 || strcmp(e.name, "..") == 0;
    if (recursive && e.known && S_ISDIR(e.about.st_mode) && !upwards) {
      putchar('\n');
      list_directory(e.path, true);
    }
    free(e.path);
  }
}

void read_options(int argc, char** argv) {
  for (int option; (option = getopt(argc, argv, "laidR1")) != -1;) switch (option) {
      case 'l': long_form = true; break;
      case 'a': hidden_too = true; break;
      case 'i': inode_numbers = true; break;
      case 'd': directory_itself = true; break;
      case 'R': recursive = true; break;
      case '1': one_a_line = true; break;
      default: tool::misuse();
    }
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv,
              "[-laidR1] [FILE]...\nLists files and what is in directories.\n"
              "  -l  with type, rights, links, owner, size, time\n  -a  also names with a dot\n"
              "  -i  with inode numbers\n  -d  directories themselves, not what is in them\n"
              "  -R  with everything below\n  -1  one name a line");
  read_options(argc, argv);
  static char here[] = ".";
  static char* only_here[] = {here};
  const int count = argc > optind ? argc - optind : 1;
  char** names = argc > optind ? argv + optind : only_here;

  vector<entry> files, directories;
  for (int n = 0; n < count; ++n) {
    entry e = {names[n], names[n], {}, false};
    look_at(e);
    if (!e.known) continue;
    (S_ISDIR(e.about.st_mode) && !directory_itself ? directories : files).push_back(e);
  }
  print(files);
  for (size_t n = 0; n < directories.size(); ++n) {
    if (n > 0 || files.size() > 0) putchar('\n');
    list_directory(directories[n].path, count > 1 || recursive);
  }
  return tool::end(status);
}

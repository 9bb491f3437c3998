// See file_tree.h. A directory is read completely before anything in it is changed.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <file_tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tool.h>
#include <unistd.h>
#include <vector.h>

namespace {

// The paths of what is in a directory.
bool read_entries(const char* path, vector<char*>& to) {
  DIR* directory = opendir(path);
  if (!directory) return false;
  errno = 0;
  while (const dirent* entry = readdir(directory))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      to.push_back(tool::join(path, entry->d_name));
  const int reason = errno;
  closedir(directory);
  errno = reason;
  return reason == 0;
}

int copy_file(const char* from, const char* to, mode_t mode) {
  const int source = open(from, O_RDONLY);
  if (source < 0) return tool::complain(from);
  const int target = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
  if (target < 0) {
    const int status = tool::complain(to);
    close(source);
    return status;
  }
  int status = tool::copy(source, from, target, to) ? 0 : 1;
  // A write error may be reported only here.
  if (close(target) < 0) status = tool::complain(to);
  close(source);
  return status;
}

int copy_directory(const char* from, const char* to, mode_t mode) {
  if (mkdir(to, (mode & 0777) | 0700) < 0 && errno != EEXIST) return tool::complain(to);
  vector<char*> entries;
  int status = read_entries(from, entries) ? 0 : tool::complain(from);
  for (char* entry : entries) {
    char* target = tool::join(to, tool::base_name(entry));
    status |= copy_tree(entry, target, true);
    free(target);
    free(entry);
  }
  return status;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Whether `path` lies in the directory: copying a directory into itself would never end.
bool lies_below(const char* path, const struct stat& directory) {
  char* above = strdup(path);
  bool found = false;
  for (struct stat about; !found;) {
    char* slash = strrchr(above, '/');
    if (!slash) {
      found = stat(".", &about) == 0 && same_file(about, directory);
      break;
    }
    *slash = '\0';
    if (!*above) break;
    found = stat(above, &about) == 0 && same_file(about, directory);
  }
  free(above);
  return found;
}

}  // namespace

bool is_directory(const char* path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

char* target_path(const char* from, const char* to) {
  if (!is_directory(to)) return strdup(to);
  char* name = strdup(from);
  for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; --n) name[n - 1] = '\0';
  char* path = tool::join(to, tool::base_name(name));
  free(name);
  return path;
}

int copy_tree(const char* from, const char* to, bool directories_too) {
  struct stat source, target;
  if (stat(from, &source) < 0) return tool::complain(from);
  if (stat(to, &target) == 0 && same_file(source, target))
    return tool::complain(to, "is the same file");
  if (S_ISDIR(source.st_mode)) {
    if (!directories_too) return tool::complain(from, "is a directory (-r copies it)");
    if (lies_below(to, source)) return tool::complain(to, "lies in what is to be copied");
    return copy_directory(from, to, source.st_mode);
  }
  if (!S_ISREG(source.st_mode) && directories_too && !S_ISFIFO(source.st_mode))
    return mknod(to, source.st_mode, source.st_rdev) < 0 ? tool::complain(to) : 0;
  return copy_file(from, to, source.st_mode);
}

int remove_tree(const char* path, bool directories_too, bool force) {
  struct stat about;
  if (lstat(path, &about) < 0) return force && errno == ENOENT ? 0 : tool::complain(path);
  if (!S_ISDIR(about.st_mode)) return unlink(path) < 0 ? tool::complain(path) : 0;
  if (!directories_too) return tool::complain(path, "is a directory (-r removes it)");
  vector<char*> entries;
  int status = read_entries(path, entries) ? 0 : tool::complain(path);
  for (char* entry : entries) {
    status |= remove_tree(entry, true, force);
    free(entry);
  }
  return rmdir(path) < 0 ? tool::complain(path) : status;
}

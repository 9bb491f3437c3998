// Opens, duplicates and closes descriptors, and keeps copies of the earlier ones.
#include "user/bin/sh/redirect.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/expand.h"

namespace {

constexpr int LEAST_COPY = 10;  // the shell's own descriptors stay out of the scripts' way

int open_flags(redirection_kind kind) {
  switch (kind) {
    case redirection_kind::output: return O_WRONLY | O_CREAT | O_TRUNC;
    case redirection_kind::append: return O_WRONLY | O_CREAT | O_APPEND;
    case redirection_kind::both: return O_RDWR | O_CREAT;
    default: return O_RDONLY;
  }
}

// A here-document is a file without a name.
int open_document(const redirection& r) {
  char path[32];
  snprintf(path, sizeof path, "/tmp/sh%d", getpid());
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) return fd;
  unlink(path);
  const text document = r.literal ? text(r.word.view()) : expand_document(r.word);
  tool::write_all(fd, document.c_str(), document.size());
  lseek(fd, 0, SEEK_SET);
  return fd;
}

}  // namespace

bool redirected::apply(vector<redirection>& all, bool keep) {
  for (redirection& r : all)
    if (!apply_one(r, keep)) {
      undo();
      return false;
    }
  return true;
}

bool redirected::apply_one(redirection& r, bool keep) {
  const text word = r.kind == redirection_kind::here ? text("/tmp") : expand_single(r.word);
  const bool duplicates = r.kind == redirection_kind::duplicate;
  const bool closes = duplicates && word == "-";
  if (duplicates && !closes && !isdigit(word.empty() ? 'x' : word[0]))
    return tool::complain(word.c_str(), "not a descriptor"), false;

  if (!keep) {
    const int copy = fcntl(r.fd, F_DUPFD, LEAST_COPY);
    if (copy >= 0) fcntl(copy, F_SETFD, FD_CLOEXEC);
    saved_.push_back({r.fd, copy, !duplicates});
  }
  if (closes) return close(r.fd), true;
  const int fd = duplicates                         ? atoi(word.c_str())
                 : r.kind == redirection_kind::here ? open_document(r)
                                                    : open(word.c_str(), open_flags(r.kind), 0666);
  if (fd < 0 || (fd != r.fd && dup2(fd, r.fd) < 0)) return tool::complain(word.c_str()), false;
  if (!duplicates && fd != r.fd) close(fd);
  return true;
}

bool redirected::undo() {
  bool kept = true;
  while (!saved_.empty()) {
    const saved s = saved_.back();
    saved_.pop_back();
    if (close(s.fd) < 0 && s.opened && errno != EBADF) {
      kept = false;
      tool::complain("write error");
    }
    if (s.copy < 0) continue;
    dup2(s.copy, s.fd);
    close(s.copy);
  }
  return kept;
}

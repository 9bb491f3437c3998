// The sources that read descriptors; see source.h.
#include "user/bin/sh/source.h"

#include <errno.h>
#include <unistd.h>

#include "user/bin/sh/jobs.h"
#include "user/bin/sh/line_edit.h"

file_source::~file_source() {
  if (fd_ > 2) close(fd_);
}

int file_source::next() {
  if (at_ == filled_) {
    ssize_t count;
    do count = read(fd_, buffer_, shared_ ? 1 : sizeof buffer_);
    while (count < 0 && errno == EINTR);
    if (count <= 0) return END;
    at_ = 0;
    filled_ = static_cast<size_t>(count);
  }
  return static_cast<unsigned char>(buffer_[at_++]);
}

int terminal_source::next() {
  if (at_ == line_.size()) {
    at_ = 0;
    if (!continues_) report_jobs();
    const line_end end = read_line(line_, continues_ ? "> " : "# ");
    cancelled_ = end == line_end::cancelled;
    if (end != line_end::entered) {
      line_.clear();
      return END;
    }
    line_.add('\n');
  }
  return static_cast<unsigned char>(line_[at_++]);
}

// Redirections: applied for a command, and for built-in commands undone afterwards.
#pragma once

#include <vector.h>

#include "user/bin/sh/syntax.h"

class redirected {
 public:
  redirected() = default;
  redirected(const redirected&) = delete;
  ~redirected() { undo(); }

  // False: the reason has been printed, and everything is undone. `keep`: undo will not be called.
  bool apply(vector<redirection>& all, bool keep);
  // Closes the files and puts the descriptors back. False: the output of a built-in command could
  // not be written; the reason has been printed.
  bool undo();

 private:
  struct saved {
    int fd, copy;  // copy < 0: it was closed
    bool opened;   // by us: its close is checked
  };
  bool apply_one(redirection& r, bool keep);
  vector<saved> saved_;
};

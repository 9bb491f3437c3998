// What the processes of the pull sweep do to the file system on /mnt, and what they were promised
// by each call that succeeded.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/fs/minix_image.h"
#include "tests/fs/pull_sweep.h"
#include "tests/fs/session.h"

namespace sim {

class pull_workload {
 public:
  // Collects what goes wrong in `complaints`.
  pull_workload(const pull_plan& plan, std::vector<std::string>& complaints);

  void run(session& process);
  // The stick is back long before io_wait ends, so every call must succeed. Returns whether it did.
  bool demand(const result<void>& outcome, const std::string& what);
  // A sync or fsync must succeed, too. But a flush gives up after some troubles in a row, and what
  // it has not proved is kept: with a stick that is drawn into trouble it may be called again.
  void demand_sync(const std::function<result<void>()>& call, const std::string& what);
  // What must stand on the medium in the end, by path.
  const std::map<std::string, image_file>& promised() const { return model_; }

 private:
  void write_files(session& process, const std::string& mount, const std::string& top, u32 seed);
  void write_large_file(session& process);
  void promise_used_files();
  void run_little(session& process);
  void begin_little(session& process);
  void two_processes(session& process);

  // One call each, and its promise.
  void write(session& process, const std::string& path, const std::string& text);
  void append(session& process, const std::string& path, const std::string& text);
  void overwrite(session& process, const std::string& path, u32 at, const std::string& text);
  void make_directory(session& process, const std::string& path);
  void unlink(session& process, const std::string& path);
  void rename(session& process, const std::string& from, const std::string& to);

  const pull_plan& plan_;
  std::vector<std::string>& complaints_;
  std::map<std::string, image_file> model_;
};

}  // namespace sim

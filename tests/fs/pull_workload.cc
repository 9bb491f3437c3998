#include "tests/fs/pull_workload.h"

#include "fs/buffer/buffer.h"
#include "fs/sync.h"
#include "tests/sim/scheduler.h"

namespace sim {

namespace {

const char* error_name(error e) {
  switch (e) {
    case error::eio: return "eio";
    case error::enodev: return "enodev";
    case error::eintr: return "eintr";
    case error::enospc: return "enospc";
    case error::ebusy: return "ebusy";
    default: return "another error";
  }
}

}  // namespace

const char* name_of(workload what) {
  constexpr const char* names[workloads] = {
      "everything", "create", "write",  "append",   "overwrite", "mkdir",        "rmdir",
      "unlink",     "link",   "rename", "truncate", "sync",      "two_processes"};
  return names[static_cast<u8>(what)];
}

pull_workload::pull_workload(const pull_plan& plan, std::vector<std::string>& complaints)
    : plan_(plan), complaints_(complaints) {
  if (plan.what != workload::everything) promise_used_files();
}

bool pull_workload::demand(const result<void>& outcome, const std::string& what) {
  if (!outcome) complaints_.push_back(what + " failed with " + error_name(outcome.error()));
  return outcome.has_value();
}

void pull_workload::demand_sync(const std::function<result<void>()>& call,
                                const std::string& what) {
  result<void> outcome = call();
  const bool in_trouble = plan_.usb && plan_.usb->trouble.answers != 0;
  for (int tries = 1; in_trouble && !outcome && tries < 4; ++tries) outcome = call();
  demand(outcome, what);
}

void pull_workload::run(session& process) {
  if (plan_.what != workload::everything) return run_little(process);
  in_parallel(plan_.writers, [&](u32 number) {
    session mine = process.fork();
    write_files(mine, "/mnt", "/" + std::to_string(number), number);
  });
  if (plan_.large_file) write_large_file(process);
}

// Every kind of change of a file system, in a directory of its own.
void pull_workload::write_files(session& process, const std::string& mount, const std::string& top,
                                u32 seed) {
  const auto at = [&](const std::string& name) { return mount + top + name; };
  const std::string long_text = pattern(9'500, seed);  // needs the indirect block
  const std::string short_text = pattern(1'700, seed + 50);
  if (demand(process.mkdir(at("")), "mkdir")) model_[top].directory = true;
  if (demand(process.write(at("/long"), long_text), "write"))
    model_[top + "/long"].content = long_text;
  if (demand(process.write(at("/short"), short_text), "write"))
    model_[top + "/short"].content = short_text;
  demand(sys_sync(), "sync");
  if (demand(process.append(at("/short"), "appended"), "append"))
    model_[top + "/short"].content += "appended";
  if (demand(process.write_at(at("/long"), 8'000, short_text), "overwrite"))
    model_[top + "/long"].content.replace(8'000, short_text.size(), short_text);
  if (demand(process.mkdir(at("/d")), "mkdir")) model_[top + "/d"].directory = true;
  if (demand(process.rename(at("/short"), at("/d/moved")), "rename")) {
    model_[top + "/d/moved"] = model_[top + "/short"];
    model_.erase(top + "/short");
  }
  demand(process.sync_file(at("/d/moved")), "fsync");
  if (demand(process.write(at("/doomed"), long_text), "write"))
    demand(process.unlink(at("/doomed")), "unlink");
  if (demand(process.link(at("/d/moved"), at("/twin")), "link"))
    model_[top + "/twin"] = model_[top + "/d/moved"];
  if (demand(process.truncate(at("/long"), 3'000), "truncate"))
    model_[top + "/long"].content.resize(3'000);
  demand(sys_sync(), "sync");
  if (demand(process.write(at("/last"), short_text), "write"))
    model_[top + "/last"].content = short_text;
  const result<std::string> back = process.read(at("/long"));
  if (!back || *back != model_[top + "/long"].content)
    complaints_.push_back("read gave other bytes");
}

// Written twice, so that blocks whose first version is on its way get a second one.
void pull_workload::write_large_file(session& process) {
  for (u32 version : {1u, 2u}) {
    const std::string text = pattern(90'000, version);
    if (demand(process.overwrite("/mnt/large", text), "write")) model_["/large"].content = text;
  }
}

void pull_workload::promise_used_files() {
  model_["/music"].directory = true;
  for (const char* name : {"/one", "/two", "/music/three"})
    model_[name].content = pattern(20'000, 77);
}

void pull_workload::run_little(session& process) {
  begin_little(process);
  demand_sync(sys_sync, "sync");
  append(process, "/two", "the end");
}

void pull_workload::begin_little(session& process) {
  switch (plan_.what) {
    case workload::everything: return;
    case workload::create:
      for (const char* path : {"/new", "/music/new", "/newer"}) write(process, path, "");
      return;
    case workload::write: return write(process, "/new", pattern(9'500, 5));
    case workload::append:
      for (u32 i = 0; i < 3; ++i) append(process, "/one", pattern(700, i));
      return;
    case workload::overwrite: return overwrite(process, "/one", 8'000, pattern(3'000, 6));
    case workload::mkdir: make_directory(process, "/d"); return make_directory(process, "/d/e");
    case workload::rmdir:
      make_directory(process, "/d");
      demand_sync(sys_sync, "sync");
      if (demand(process.rmdir("/mnt/d"), "rmdir")) model_.erase("/d");
      return;
    case workload::unlink: return unlink(process, "/one");
    case workload::link:
      if (demand(process.link("/mnt/one", "/mnt/music/uno"), "link"))
        model_["/music/uno"] = model_["/one"];
      return;
    case workload::rename:
      rename(process, "/one", "/music/one");
      return rename(process, "/music/three", "/two");
    case workload::truncate:
      if (demand(process.truncate("/mnt/one", 3'000), "truncate"))
        model_["/one"].content.resize(3'000);
      return;
    case workload::sync:
      append(process, "/one", "some");
      demand_sync(sys_sync, "sync");
      append(process, "/one", "more");
      demand_sync([&] { return process.sync_file("/mnt/one"); }, "fsync");
      return;
    case workload::two_processes: return two_processes(process);
  }
}

void pull_workload::two_processes(session& process) {
  in_parallel(2, [&](u32 number) {
    session mine = process.fork();
    if (number == 0) {
      write(mine, "/new", pattern(5'000, 8));
      rename(mine, "/new", "/music/newer");
    } else {
      append(mine, "/one", pattern(2'000, 9));
      unlink(mine, "/music/three");
    }
  });
}

void pull_workload::write(session& process, const std::string& path, const std::string& text) {
  if (demand(process.write("/mnt" + path, text), "write")) model_[path].content = text;
}

void pull_workload::append(session& process, const std::string& path, const std::string& text) {
  if (demand(process.append("/mnt" + path, text), "append")) model_[path].content += text;
}

void pull_workload::overwrite(session& process, const std::string& path, u32 at,
                              const std::string& text) {
  if (demand(process.write_at("/mnt" + path, at, text), "overwrite"))
    model_[path].content.replace(at, text.size(), text);
}

void pull_workload::make_directory(session& process, const std::string& path) {
  if (demand(process.mkdir("/mnt" + path), "mkdir")) model_[path].directory = true;
}

void pull_workload::unlink(session& process, const std::string& path) {
  if (demand(process.unlink("/mnt" + path), "unlink")) model_.erase(path);
}

void pull_workload::rename(session& process, const std::string& from, const std::string& to) {
  if (!demand(process.rename("/mnt" + from, "/mnt" + to), "rename")) return;
  model_[to] = model_[from];
  model_.erase(from);
}

}  // namespace sim

// A simulated stick: a medium that survives everything, and the block device that it is while it is
// plugged in.
//
//   sim::medium stick(720);                     // sectors; outlives the worlds that use it
//   world.run([&] {
//     stick.plug();                             // media_arrived comes from the driver's task
//     …
//     stick.pull(sim::cache_loss::some);        // the driver notices a moment later
//     stick.plug();                             // a new block_device, a new attach epoch
//   });
//
// - A completed write stands in the volatile write cache; a flush brings it to the medium. At a
//   pull each cached sector is lost or not, by itself, and of several versions any may have
//   arrived.
// - A sector that is on its way when the stick is pulled is old, new, or torn.
// - Every point of a write or a flush where a pull makes a difference is a step, counted from 1;
//   pull_at(step) pulls the stick there.
// - Which order the driver learns things in, how long commands take and what the cache loses are
//   drawn with the world's seed.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "drivers/block/block_device.h"
#include "lib/time.h"

namespace sim {

enum class cache_loss { none, all, some };
enum class in_flight { old_content, new_content, torn };

// How a pull treats what was not durable.
struct pull_style {
  cache_loss loss = cache_loss::some;
  in_flight sector = in_flight::torn;
};

// A command that the medium has received.
struct command_record {
  attach_epoch epoch;
  block_command cmd;
  lba first;
  u32 sectors;
  instant begun;
  instant ended;
  bool succeeded;
};

class sim_disk;

class medium {
 public:
  using sector = std::array<byte, SECTOR_SIZE>;

  explicit medium(u32 sectors, const char* serial = "SIM1");
  explicit medium(std::vector<byte> image, const char* serial = "SIM1");
  ~medium();
  medium(const medium&) = delete;
  medium& operator=(const medium&) = delete;

  // What it says of itself, and how it behaves; read when it is plugged.
  media_identity identity;
  u32 max_sectors = 128;
  bool write_protected = false;
  bool removable = true;

  // Not before the disk of an earlier plug has noticed that it is gone.
  void plug();
  void pull(pull_style style = {});
  bool plugged() const { return current_ != nullptr; }
  block_device& device() const;  // while it is plugged

  // --- trouble ---
  // Pulls when the count of steps reaches `step`.
  void pull_at(u64 step, pull_style style);
  u64 steps() const { return steps_; }
  bool reads_are_steps = false;
  // Called for every command; an error makes it fail (a write after some of its sectors).
  std::function<std::optional<error>(block_command, lba, u32 sectors)> fault;
  // The stick that acknowledges a flush before it has done it.
  bool flush_lies = false;
  duration least_latency = 50_us;
  duration most_latency = 3_ms;

  // --- evidence ---
  std::span<byte> bytes() { return bytes_; }  // what is durable; for planting and for looking
  std::span<const byte> durable() const { return bytes_; }
  // What a reader would get now, the cache included.
  std::vector<byte> content() const;
  size_t cached_sectors() const { return cache_.size(); }
  void forget_cache() { cache_.clear(); }  // a reset of the stick's own
  const std::vector<command_record>& log() const { return log_; }
  u32 count(block_command cmd) const;
  void clear_log() { log_.clear(); }

 private:
  friend class sim_disk;

  bool step();  // true: the stick was pulled here
  sector newest(u32 number) const;
  void write_durably(u32 number, const sector& content);
  void lose_cache(cache_loss loss);
  void tear(u32 number, const sector& content, in_flight how);
  void forget(sim_disk& disk);

  std::vector<byte> bytes_;
  std::map<u32, std::vector<sector>> cache_;  // versions since the last flush, oldest first
  std::vector<command_record> log_;
  std::list<std::unique_ptr<sim_disk>> disks_;
  sim_disk* current_ = nullptr;
  u64 steps_ = 0;
  u64 pull_step_ = 0;
  pull_style planned_style_;
};

class sim_disk final : public block_device {
 public:
  explicit sim_disk(medium& medium);

  void start();       // its tasks
  void disconnect();  // the plug has lost contact

 private:
  void request_fn() override { wake_up(work_); }
  void serve();
  void watch_port();
  void carry_out(request& r);
  result<void> perform(const request& r);
  result<void> read(const request& r);
  result<void> write(const request& r, std::optional<error> fault);
  result<void> flush_cache();
  bool wait_for_medium();  // false: it was pulled meanwhile

  medium& medium_;
  bool disconnected_ = false;
  bool left_ = false;  // media_left has been said
  wait_queue work_;
  wait_queue unplugged_;
};

}  // namespace sim

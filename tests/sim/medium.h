// A simulated stick's medium: what survives everything, and the volatile cache in front of it.
//
// - A completed write stands in the volatile write cache; a flush brings it to the medium. At a
//   pull each cached sector is lost or not, by itself, and of several versions any may have
//   arrived. So it is when a flush fails, when the stick is reset by its host, and when it tells a
//   deferred error.
// - A sector that is on its way when the stick is pulled is old, new, or torn.
// - Every point where a pull makes a difference is a step, counted from 1; pull_at(step) pulls the
//   stick there.
// - What the cache loses and how commands are ordered is drawn with the world's seed.
//
// A medium is plugged in as a block device of its own (sim_disk.h) or behind a simulated controller
// (xhci/machine.h): the same medium, losses and steps.
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

// Where a pull makes a difference. A block device of its own knows the first few; behind a
// controller there are all of them.
enum class step_kind : u8 {
  command,  // before a write or a flush
  sector,   // in the middle of a sector on its way into the cache
  flushed,  // after a sector became durable
  status,   // before the good news; behind a controller: the packet with the CSW
  read,     // before data that verification wants
  register_before,
  register_after,
  doorbell_before,
  doorbell_after,
  trb_fetch,
  packet_before,
  packet_after,
  event_before,
  event_after,
  port_reset,  // in the middle of one
};
constexpr size_t step_kinds = 15;
const char* name_of(step_kind kind);

class medium;
class sim_disk;

// Something that a medium can be plugged into; it learns what happens to its contact. Neither
// sleeps.
class outlet {
 public:
  virtual ~outlet() = default;
  virtual void connect(medium& stick) = 0;
  virtual void disconnect(medium& stick) = 0;
};

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

  // Makes it a block device of its own. Not before the disk of an earlier plug has noticed that it
  // is gone.
  void plug();
  // Puts it behind a controller.
  void plug(outlet& into);
  void pull(pull_style style = {});
  bool plugged() const { return plugged_; }
  u32 plugs() const { return plugs_; }  // how often so far
  block_device& device() const;         // while it is plugged, and a block device of its own

  // --- trouble ---
  // Pulls when the count of steps reaches `step`.
  void pull_at(u64 step, pull_style style);
  u64 steps() const { return trace_.size(); }
  // Every step so far, and in which phase of the experiment it was.
  struct step_record {
    step_kind kind;
    u8 phase;
  };
  const std::vector<step_record>& trace() const { return trace_; }
  std::function<u8()> phase;
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
  // The stick is in trouble: each cached sector is lost or not, by itself, as at a pull.
  void drop_cache() { lose_cache(cache_loss::some); }
  const std::vector<command_record>& log() const { return log_; }
  u32 count(block_command cmd) const;
  void clear_log() { log_.clear(); }

  // --- for the disk that it is behind ---
  // Counts a step while it is plugged in. True: it was pulled here.
  bool step(step_kind kind);
  sector newest(u32 number) const;
  // Into the cache, or torn onto the medium. False: it was pulled here.
  bool write_sector(u32 number, const sector& content);
  // False: it was pulled in the middle.
  bool flush();
  void note(const command_record& record) { log_.push_back(record); }

 private:
  friend class sim_disk;

  void write_durably(u32 number, const sector& content);
  void lose_cache(cache_loss loss);
  void tear(u32 number, const sector& content, in_flight how);
  void forget(sim_disk& disk);

  std::vector<byte> bytes_;
  std::map<u32, std::vector<sector>> cache_;  // versions since the last flush, oldest first
  std::vector<command_record> log_;
  std::list<std::unique_ptr<sim_disk>> disks_;
  sim_disk* current_ = nullptr;
  outlet* outlet_ = nullptr;
  bool plugged_ = false;
  u32 plugs_ = 0;
  std::vector<step_record> trace_;
  u64 pull_step_ = 0;
  pull_style planned_style_;
};

}  // namespace sim

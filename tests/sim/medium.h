// A simulated stick's medium: the durable content, and the volatile write cache in front of it.
//
// - A completed write is in the write cache; a flush makes it durable. At a pull each cached sector
// is
//   lost or not, independently of the others; of several versions of a sector any may have become
//   durable. The same happens when a flush fails, when the host resets the stick, and when the
//   stick reports a deferred error.
// - A sector that is being transferred when the stick is pulled is old, new, or torn.
// - Every point where a pull makes a difference is a step. Steps are counted from 1; pull_at(step)
//   pulls the stick there.
// - What the cache loses, and how long commands take, is drawn with the world's seed.
//
// A medium is plugged in as a block device of its own (sim_disk.h) or into a port of a simulated
// controller (xhci/machine.h). Medium, losses and steps are the same.
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
#include "tests/sim/audit.h"

namespace sim {

enum class cache_loss { none, all, some };
enum class in_flight { old_content, new_content, torn };

// What a pull does with content that is not durable.
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

// The kinds of points where a pull makes a difference. A block device of its own has only the first
// five; with a controller there are all.
enum class step_kind : u8 {
  command,  // before a write or a flush
  sector,   // in the middle of a sector's transfer into the cache
  flushed,  // after a sector became durable
  status,   // before the good status; with a controller: before the packet with the CSW
  read,     // before data are read
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
  mask,        // before a task masks interrupts
};
constexpr size_t step_kinds = 16;
const char* name_of(step_kind kind);

class medium;
class sim_disk;

// Something that a medium can be plugged into. It is told when contact is made and lost. Neither
// call sleeps.
class outlet {
 public:
  virtual ~outlet() = default;
  virtual void connect(medium& stick) = 0;
  virtual void disconnect(medium& stick) = 0;
};

class medium final : public audited {
 public:
  using sector = std::array<byte, SECTOR_SIZE>;

  explicit medium(u32 sectors, const char* serial = "SIM1");
  explicit medium(std::vector<byte> image, const char* serial = "SIM1");
  ~medium() override;
  medium(const medium&) = delete;
  medium& operator=(const medium&) = delete;

  // How it describes itself, and how it behaves; read when it is plugged in.
  media_identity identity;
  u32 max_sectors = 128;
  bool write_protected = false;
  bool removable = true;

  // Plugs it in as a block device of its own. Only after the disk of an earlier plug has noticed
  // that it is gone.
  void plug();
  // Plugs it into a port of a controller.
  void plug(outlet& into);
  void pull(pull_style style = {});
  bool plugged() const { return plugged_; }
  u32 plugs() const { return plugs_; }  // the number of plugs so far
  block_device& device() const;         // while it is plugged, and a block device of its own
  // The medium that is plugged in and describes itself like this; null if there are several.
  static const medium* plugged_as(const media_identity& identity);

  // --- trouble ---
  // Pulls when the count of steps reaches `step`.
  void pull_at(u64 step, pull_style style);
  u64 steps() const { return trace_.size(); }
  // Every step so far, and in which phase of the experiment it was.
  struct step_record {
    step_kind kind;
    u8 phase;
    const void* place;  // mask: where in the product
  };
  const std::vector<step_record>& trace() const { return trace_; }
  std::function<u8()> phase;
  std::function<void()> on_pull;  // called at each pull; never sleeps
  bool reads_are_steps = false;
  // Called for every command. If it returns an error, the command fails; a write may have moved
  // some of its sectors then.
  std::function<std::optional<error>(block_command, lba, u32 sectors)> fault;
  // The stick reports success for a flush that it does not carry out.
  bool flush_lies = false;
  duration least_latency = 50_us;
  duration most_latency = 3_ms;

  // --- evidence ---
  std::span<byte> bytes() { return bytes_; }  // the durable content, to be set or examined
  std::span<const byte> durable() const { return bytes_; }
  // What a read would give now: the newest versions, cached or durable.
  std::vector<byte> content() const;
  size_t cached_sectors() const { return cache_.size(); }
  void forget_cache() { cache_.clear(); }  // as when the stick is reset by itself
  // Each cached sector is lost or not, as at a pull.
  void drop_cache() { lose_cache(cache_loss::some); }
  const std::vector<command_record>& log() const { return log_; }
  u32 count(block_command cmd) const;
  void clear_log() { log_.clear(); }

  // --- for the disk or the stick that it is part of ---
  // Counts a step while it is plugged in. True: it was pulled here.
  bool step(step_kind kind, const void* place = nullptr);
  sector newest(u32 number) const;
  // Writes a sector into the cache. False: it was pulled here, and the sector may be torn.
  bool write_sector(u32 number, const sector& content);
  // Makes all cached sectors durable. False: it was pulled in the middle.
  bool flush();
  void note(const command_record& record) { log_.push_back(record); }

 private:
  friend class sim_disk;

  // The closing audit.
  void end_trouble() override;
  void unplug() override;
  void check() override;
  void put_back() override;

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
  // What the audit puts back.
  struct looks {
    std::vector<byte> bytes;
    std::map<u32, std::vector<sector>> cache;
    std::vector<command_record> log;
    std::vector<step_record> trace;
  };
  std::optional<looks> before_audit_;
};

}  // namespace sim

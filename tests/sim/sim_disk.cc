#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/panic.h"
#include "tests/sim/scheduler.h"

namespace sim {
namespace {

template <size_t Size>
void set_text(std::array<char, Size>& to, std::string_view text) {
  to.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), Size - 1), to.begin());
}

duration random_duration(duration least, duration most) {
  return {least.ns + static_cast<i64>(random_below(static_cast<u64>(most.ns - least.ns) + 1))};
}

medium::sector sector_of(const buffer_head& bh, u32 index) {
  medium::sector content;
  std::memcpy(content.data(), bh.b_data + index * SECTOR_SIZE, SECTOR_SIZE);
  return content;
}

}  // namespace

// --- the medium ---

medium::medium(u32 sectors, const char* serial)
    : medium(std::vector<byte>(size_t{sectors} * SECTOR_SIZE), serial) {}

medium::medium(std::vector<byte> image, const char* serial) : bytes_(std::move(image)) {
  identity.vendor_id = 0x46F4;
  identity.product_id = 0x0001;
  set_text(identity.vendor, "SIM");
  set_text(identity.product, "STICK");
  set_text(identity.serial, serial);
  identity.sectors = static_cast<u32>(bytes_.size() / SECTOR_SIZE);
}

medium::~medium() = default;

void medium::plug() {
  kassert(!current_);
  disks_.push_back(std::make_unique<sim_disk>(*this));
  current_ = disks_.back().get();
  current_->start();
}

void medium::pull(pull_style style) {
  kassert(current_);
  sim_disk* disk = std::exchange(current_, nullptr);
  lose_cache(style.loss);
  disk->disconnect();
}

block_device& medium::device() const {
  kassert(current_);
  return *current_;
}

void medium::pull_at(u64 step, pull_style style) {
  pull_step_ = step;
  planned_style_ = style;
}

bool medium::step() { return ++steps_ == pull_step_ && current_; }

medium::sector medium::newest(u32 number) const {
  if (const auto cached = cache_.find(number); cached != cache_.end()) return cached->second.back();
  sector content;
  std::memcpy(content.data(), bytes_.data() + size_t{number} * SECTOR_SIZE, SECTOR_SIZE);
  return content;
}

void medium::write_durably(u32 number, const sector& content) {
  std::memcpy(bytes_.data() + size_t{number} * SECTOR_SIZE, content.data(), SECTOR_SIZE);
}

// Sector by sector: any version since the last flush may have arrived, or none.
void medium::lose_cache(cache_loss loss) {
  for (const auto& [number, versions] : cache_) {
    const u64 lost = loss == cache_loss::none  ? 0
                     : loss == cache_loss::all ? versions.size()
                                               : random_below(versions.size() + 1);
    if (lost < versions.size()) write_durably(number, versions[versions.size() - 1 - lost]);
  }
  cache_.clear();
}

void medium::tear(u32 number, const sector& content, in_flight how) {
  if (how == in_flight::old_content) return;
  const size_t arrived = how == in_flight::new_content ? SECTOR_SIZE : random_below(SECTOR_SIZE);
  std::memcpy(bytes_.data() + size_t{number} * SECTOR_SIZE, content.data(), arrived);
}

std::vector<byte> medium::content() const {
  std::vector<byte> all = bytes_;
  for (const auto& [number, versions] : cache_)
    std::memcpy(all.data() + size_t{number} * SECTOR_SIZE, versions.back().data(), SECTOR_SIZE);
  return all;
}

u32 medium::count(block_command cmd) const {
  return static_cast<u32>(
      std::count_if(log_.begin(), log_.end(), [&](const auto& entry) { return entry.cmd == cmd; }));
}

void medium::forget(sim_disk& disk) {
  disks_.remove_if([&](const auto& each) { return each.get() == &disk; });
}

// --- the disk ---

sim_disk::sim_disk(medium& medium) : medium_(medium) {
  identity = medium.identity;
  max_sectors = medium.max_sectors;
  write_protected = medium.write_protected;
  removable = medium.removable;
}

void sim_disk::start() {
  daemon("sim_disk", [this] { serve(); });
  daemon("sim_port", [this] { watch_port(); });
}

void sim_disk::disconnect() {
  disconnected_ = true;
  wake_up(work_);
  wake_up(unplugged_);
}

// The driver's task, as a class driver would have it.
void sim_disk::serve() {
  media_arrived(*this);
  while (!left_) {
    if (request* r = next_request())
      carry_out(*r);
    else
      sleep_on(work_);
  }
  wait_unreferenced();
  medium_.forget(*this);
}

// The hub's task: it learns of a pull before or after the command under way has failed.
void sim_disk::watch_port() {
  while (!disconnected_) sleep_on(unplugged_);
  if (random_chance(2)) sleep_for(random_duration({}, 1_ms));
  die();
  media_left(*this);
  left_ = true;
  wake_up(work_);
}

void sim_disk::carry_out(request& r) {
  command_record record{epoch, r.cmd, r.sector, r.nr_sectors, now(), {}, false};
  result<void> outcome = perform(r);
  if (disconnected_) outcome = fail(error::enodev);  // what it said was not heard
  if (disconnected_ && random_chance(2)) sleep_for(random_duration({}, 1_ms));
  record.ended = now();
  record.succeeded = outcome.has_value();
  medium_.log_.push_back(record);
  if (disconnected_) die();  // before anybody hears of it
  end_request(r, outcome);
}

bool sim_disk::wait_for_medium() {
  const instant done = now() + random_duration(medium_.least_latency, medium_.most_latency);
  while (!disconnected_ && sleep_on(unplugged_, done) != wake_reason::timed_out) {
  }
  return !disconnected_;
}

result<void> sim_disk::perform(const request& r) {
  if (!wait_for_medium()) return fail(error::enodev);
  const auto fault =
      medium_.fault ? medium_.fault(r.cmd, r.sector, r.nr_sectors) : std::optional<error>{};
  if (r.cmd == block_command::write) return write(r, fault);
  if (fault) return fail(*fault);
  return r.cmd == block_command::read ? read(r) : flush_cache();
}

result<void> sim_disk::read(const request& r) {
  if (medium_.reads_are_steps && medium_.step()) medium_.pull(medium_.planned_style_);
  if (disconnected_) return fail(error::enodev);
  u32 number = r.sector.value();
  for (buffer_head& bh : r.buffers)
    for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i) {
      const medium::sector content = medium_.newest(number++);
      std::memcpy(bh.b_data + i * SECTOR_SIZE, content.data(), SECTOR_SIZE);
    }
  return {};
}

// Steps: before the first sector, in the middle of every sector, and before the status.
result<void> sim_disk::write(const request& r, std::optional<error> fault) {
  const pull_style style = medium_.planned_style_;
  u64 sectors_before_fault = fault ? random_below(r.nr_sectors) : r.nr_sectors;
  if (medium_.step()) medium_.pull(style);
  u32 number = r.sector.value();
  for (buffer_head& bh : r.buffers)
    for (u32 i = 0; i < SECTORS_PER_BLOCK; ++i, ++number) {
      if (disconnected_) return fail(error::enodev);
      if (sectors_before_fault-- == 0) return fail(*fault);
      const medium::sector content = sector_of(bh, i);
      if (!medium_.step()) {
        medium_.cache_[number].push_back(content);
        continue;
      }
      medium_.pull(style);
      medium_.tear(number, content, style.sector);
    }
  if (disconnected_) return fail(error::enodev);
  if (!wait_for_medium()) return fail(error::enodev);
  if (medium_.step()) medium_.pull(style);
  return {};
}

// Steps: before the first sector, after every one, which is also before the status.
result<void> sim_disk::flush_cache() {
  const pull_style style = medium_.planned_style_;
  if (medium_.step()) medium_.pull(style);
  if (disconnected_) return fail(error::enodev);
  if (medium_.flush_lies) return {};
  std::vector<u32> numbers;
  for (const auto& [number, versions] : medium_.cache_) numbers.push_back(number);
  std::shuffle(numbers.begin(), numbers.end(), random());
  for (u32 number : numbers) {
    medium_.write_durably(number, medium_.cache_[number].back());
    medium_.cache_.erase(number);
    if (medium_.step()) medium_.pull(style);
    if (disconnected_) return fail(error::enodev);
  }
  return {};
}

}  // namespace sim

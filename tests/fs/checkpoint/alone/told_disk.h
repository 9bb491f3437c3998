// A stick and its disk for the model of the checkpoint: it carries out requests when it is told to,
// without a task of its own and without time passing, and says what it has done.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "drivers/block/block_device.h"
#include "tests/sim/scheduler.h"

namespace sim {

using block_content = std::array<byte, BLOCK_SIZE>;

// What the stick holds: of each block the durable content, then what its write cache has.
class told_stick {
 public:
  block_content durable(u32 block) { return versions_of(block).front(); }
  // Each content that a read may find after the next pull.
  const std::vector<block_content>& versions_of(u32 block) {
    std::vector<block_content>& all = blocks_[block];
    if (all.empty()) all.emplace_back();
    return all;
  }
  void write(u32 block, const block_content& content) {
    versions_of(block);
    blocks_[block].push_back(content);
  }
  void flush() {
    for (auto& [block, all] : blocks_) all.erase(all.begin(), all.end() - 1);
  }
  // The cache is lost: any version of each block may have become durable.
  void lose_cache() {
    for (auto& [block, all] : blocks_) all = {all[random_below(all.size())]};
  }

 private:
  std::map<u32, std::vector<block_content>> blocks_;
};

class told_disk final : public block_device {
 public:
  struct answer {
    bool good = true;
    bool loses_cache = false;
  };
  struct event {
    block_command cmd;
    u32 block;         // of the medium
    const byte* data;  // of a write: where the content comes from
    bool good, sent;
  };

  told_disk(told_stick& stick, u32 blocks) : stick_(stick) {
    identity.sectors = blocks * SECTORS_PER_BLOCK;
    identity.product = {'T', 'O', 'L', 'D'};
    max_sectors = SECTORS_PER_BLOCK;  // one request for each block
    removable = true;
  }

  std::function<void()> asked;  // a request was queued
  // How a request ends; called in its middle. `data`: of a write, where the content comes from.
  std::function<answer(block_command, u32 block, const byte* data)> ask;
  std::function<void(const event&)> ended;
  bool at_once = false;  // carries out each request, and those before it, when it is queued

  u32 queued = 0;  // not ended

  // Takes the next request off the queue; it is under way then.
  void take() {
    if (!in_hand_) in_hand_ = next_request();
  }
  void carry_out_one() {
    take();
    if (in_hand_) carry_out(*std::exchange(in_hand_, nullptr));
  }
  // After die(): the request under way ends too. It may have been executed in part.
  void drop_in_hand() {
    if (in_hand_) finish(*std::exchange(in_hand_, nullptr), false, error::enodev);
    queued = 0;
  }

 private:
  void request_fn() override {
    ++queued;
    if (asked) asked();
    while (at_once && queued > 0) carry_out_one();
  }

  void carry_out(request& r) {
    block_content before;
    const byte* data = r.cmd == block_command::write ? r.buffers.front()->b_data : nullptr;
    if (data) std::copy_n(data, BLOCK_SIZE, before.begin());
    const answer a = ask ? ask(r.cmd, r.sector.value() / SECTORS_PER_BLOCK, data) : answer{};
    if (data && a.good) stick_.write(r.sector.value() / SECTORS_PER_BLOCK, before);
    if (r.cmd == block_command::flush && a.good && !a.loses_cache) stick_.flush();
    if (a.loses_cache || (r.cmd == block_command::flush && !a.good)) stick_.lose_cache();
    if (a.loses_cache) cache_lost();
    finish(r, a.good, error::eio);
  }

  // A write that fails leaves a sector of the new content and one of the old.
  void finish(request& r, bool good, error e) {
    event over{r.cmd, r.sector.value() / SECTORS_PER_BLOCK, nullptr, good, true};
    if (r.cmd == block_command::write) {
      over.data = r.buffers.front()->b_data;
      if (!good) {
        block_content torn = stick_.versions_of(over.block).back();
        const u32 sector = static_cast<u32>(random_below(SECTORS_PER_BLOCK)) * SECTOR_SIZE;
        std::copy_n(over.data + sector, SECTOR_SIZE, torn.begin() + sector);
        stick_.write(over.block, torn);
      }
    }
    --queued;
    end_request(r, good ? result<void>() : fail(e));
    if (ended) ended(over);
  }

  told_stick& stick_;
  request* in_hand_ = nullptr;
};

}  // namespace sim

// The media in the units of a device, and a card reader with two cards: for tests of several units.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "tests/drivers/usb/served_stick.h"

namespace usb::storage {

using sim::fake_stick, sim::fiber;

// The media that have arrived and not left, in the order of their arrival. Sizes tell them apart.
class media_list {
 public:
  media_list() {
    list() = {};
    set_media_listener({[](block_device& disk) { list().push_back(&disk); },
                        [](block_device& disk) { std::erase(list(), &disk); }});
  }
  size_t size() const { return list().size(); }
  block_device* of(u32 sectors) const {
    const auto found = std::ranges::find_if(
        list(), [=](block_device* disk) { return disk->identity.sectors == sectors; });
    return found == list().end() ? nullptr : *found;
  }

 private:
  static std::vector<block_device*>& list() {
    static std::vector<block_device*> all;
    return all;
  }
};

inline fiber serve_in_a_task(fake_stick& stick) {
  return sim::spawn("device", [&stick] { usb::storage::serve(stick, fake_stick::interface()); });
}

// A card reader with two cards, of 100 and 200 sectors.
struct two_cards {
  explicit two_cards(bool takes_media = true) : stick(100), second(stick.add_unit(200)) {
    stick.disk.removable_medium = second.disk.removable_medium = takes_media;
    task.emplace(serve_in_a_task(stick));
    sleep_for(100_ms);
  }
  block_device* of(u32 sectors) const { return media.of(sectors); }
  void finish() {
    stick.pull();
    task->join();
    EXPECT_EQ(media.size(), 0u);
  }

  media_list media;
  fake_stick stick;
  fake_stick::logical_unit& second;
  std::optional<fiber> task;
};

}  // namespace usb::storage

// The USB core (core.h) over a device that the test answers for: what it asks, how often, and what
// becomes of a device that answers badly.
#include "drivers/usb/core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/fs/machine.h"
#include "tests/sim/scheduler.h"

namespace usb {
namespace {

using bytes = std::vector<byte>;
using sim::said;

bytes of(std::initializer_list<u32> values) {
  bytes all;
  for (u32 value : values) all.push_back(static_cast<byte>(value));
  return all;
}

bytes text(const char* characters) {
  bytes all = of({static_cast<u32>(2 + 2 * std::strlen(characters)), 3});
  for (const char* c = characters; *c; ++c) all.insert(all.end(), {static_cast<byte>(*c), byte{0}});
  return all;
}

// A request as it is on the wire: type, number, value, index, length.
struct asked {
  u32 kind, value, index, length;
  bool operator==(const asked&) const = default;
};
void PrintTo(const asked& a, std::ostream* out) {
  *out << std::hex << a.kind << " " << a.value << " " << a.index << " " << a.length;
}
constexpr u32 get = 0x8006;

class scripted final : public host_device {
 public:
  explicit scripted(speed at) : host_device(memory_) {
    EXPECT_TRUE(memory_.allocate());
    facts.bus = 2;
    facts.port = 7;
    facts.at = at;
    const u32 packet = at >= speed::super ? 9 : 64;
    answers[0x0100] = of({18, 1, 0, 2, 0, 0, 0, packet, 0xF4, 0x46, 0x34, 0x12, 0, 1, 1, 2, 3, 1});
    answers[0x0200] = of({9, 2, 18, 0, 1, 5, 0, 0x80, 50, 9, 4, 0, 0, 0, 3, 0, 0, 0});
    answers[0x0300] = of({4, 3, 0x07, 0x04});
    answers[0x0301] = text("Maker");
    answers[0x0302] = text("Thing");
    answers[0x0303] = text("S-1");
  }

  std::map<u32, bytes> answers;               // by the value of GET_DESCRIPTOR
  std::map<u32, std::deque<error>> failures;  // each of them comes once, before the answer
  std::vector<asked> requests;
  std::vector<u32> packet_sizes;
  std::vector<u32> configurations;
  std::deque<error> configure_failures, reset_failures;
  u32 resets = 0, releases = 0;
  std::string listed_while_configured;
  bool is_gone = false;
  std::optional<u32> goes_at_reset;

  u32 count(u32 value) const {
    return static_cast<u32>(std::ranges::count(requests, value, &asked::value));
  }

  result<u32> control(const setup_packet& s, std::span<byte> to, duration) override {
    requests.push_back(
        {static_cast<u32>(s.request_type) << 8 | s.request, s.value, s.index, s.length});
    if (is_gone) return fail(error::enodev);
    if (auto& planned = failures[s.value]; !planned.empty()) {
      const error why = planned.front();
      planned.pop_front();
      return fail(why);
    }
    const auto found = answers.find(s.value);
    if (found == answers.end()) return fail(error::epipe);
    const size_t length = std::min({found->second.size(), to.size(), size_t{s.length}});
    std::copy_n(found->second.begin(), length, to.begin());
    return static_cast<u32>(length);
  }
  result<void> set_control_packet_size(u16 size) override {
    packet_sizes.push_back(size);
    return next(configure_failures);
  }
  result<void> configure(u8 configuration, std::span<const endpoint>) override {
    configurations.push_back(configuration);
    listed_while_configured = list();
    return next(configure_failures);
  }
  result<void> reset() override {
    ++resets;
    if (resets == goes_at_reset) is_gone = true;
    return next(reset_failures);
  }
  result<void> submit(transfer&) override { return fail(error::enodev); }
  result<void> wait(transfer&, instant) override { return fail(error::enodev); }
  void settle(transfer&) override {}
  void cancel(u8) override {}
  result<void> clear_halt(u8) override { return fail(error::enodev); }
  void release() override {
    ++releases;
    listed_while_released = list();
  }
  bool gone() const override { return is_gone; }
  std::string listed_while_released;

  static std::string list() {
    std::array<char, 512> room{};
    text_sink out(room);
    list_devices(out);
    return std::string(out.text());
  }

 private:
  static result<void> next(std::deque<error>& planned) {
    if (planned.empty()) return {};
    const error why = planned.front();
    planned.pop_front();
    return fail(why);
  }
  driver_memory memory_;
};

constexpr const char* not_usable = "not usable";

// Lets the core attend to the device.
void attend_to(speed at, const std::function<void(scripted&)>& prepare,
               const std::function<void(scripted&)>& judge) {
  sim::run(1, [&] {
    scripted device(at);
    if (prepare) prepare(device);
    attend(device);
    EXPECT_EQ(scripted::list(), "") << "it has left the list";
    judge(device);
  });
}
void make_a_disk(scripted& device) {
  device.answers[0x0200] = of({9, 2, 18, 0, 1, 5, 0, 0x80, 50, 9, 4, 0, 0, 0, 8, 6, 0x50, 0});
}

TEST(usb_core, asks_for_each_descriptor_as_the_specification_says) {
  const std::vector<asked> texts_and_rest{{get, 0x0300, 0, 255},      {get, 0x0301, 0x0407, 255},
                                          {get, 0x0302, 0x0407, 255}, {get, 0x0303, 0x0407, 255},
                                          {get, 0x0200, 0, 9},        {get, 0x0200, 0, 18}};
  for (const speed at : {speed::high, speed::super})
    attend_to(at, {}, [&](scripted& device) {
      std::vector<asked> expected{{get, 0x0100, 0, 18}};
      expected.insert(expected.end(), texts_and_rest.begin(), texts_and_rest.end());
      EXPECT_EQ(device.requests, expected);
      EXPECT_TRUE(device.packet_sizes.empty());
      EXPECT_TRUE(said("usb 2-7: 46f4:1234 \"Thing\" serial \"S-1\"\n"));
      EXPECT_TRUE(said("usb 2-7: no driver for this device\n"));
    });
}

// At full speed the first eight bytes tell the size of EP0's packets.
TEST(usb_core, learns_the_packet_size_of_full_speed_first) {
  for (const u32 size : {8u, 16u, 32u, 64u})
    attend_to(
        speed::full, [&](scripted& d) { d.answers[0x0100][7] = static_cast<byte>(size); },
        [&](scripted& device) {
          ASSERT_GE(device.requests.size(), 2u);
          EXPECT_EQ(device.requests[0], (asked{get, 0x0100, 0, 8}));
          EXPECT_EQ(device.requests[1], (asked{get, 0x0100, 0, 18}));
          EXPECT_EQ(device.packet_sizes, std::vector<u32>{size});
        });
}

TEST(usb_core, tells_the_controller_that_size_again_if_it_must) {
  attend_to(
      speed::full,
      [](scripted& d) {
        d.configure_failures = {error::eio, error::etimedout};
      },
      [](scripted& device) {
        EXPECT_EQ(device.packet_sizes, (std::vector<u32>{64, 64, 64}));
        EXPECT_FALSE(said(not_usable));
      });
}

// Each spoils one thing that no device of use has.
TEST(usb_core, refuses_a_device_that_describes_itself_badly) {
  struct spoiled {
    speed at;
    const char* how;
    std::function<void(scripted&)> spoil;
    u32 requests;  // the last of them is the one that was answered badly
  };
  const std::vector<spoiled> all{
      {speed::full, "eight bytes", [](scripted& d) { d.answers[0x0100].resize(7); }, 1},
      {speed::full, "packets of 9", [](scripted& d) { d.answers[0x0100][7] = byte{9}; }, 1},
      {speed::full, "packets of 0", [](scripted& d) { d.answers[0x0100][7] = byte{0}; }, 1},
      {speed::full, "the size is not taken",
       [](scripted& d) { d.configure_failures.assign(3, error::eio); }, 1},
      {speed::high, "17 bytes", [](scripted& d) { d.answers[0x0100].resize(17); }, 1},
      {speed::high, "packets of 32", [](scripted& d) { d.answers[0x0100][7] = byte{32}; }, 1},
      {speed::high, "another type", [](scripted& d) { d.answers[0x0100][1] = byte{2}; }, 1},
      {speed::super, "packets of 2^8", [](scripted& d) { d.answers[0x0100][7] = byte{8}; }, 1},
      {speed::super, "no answer", [](scripted& d) { d.answers.erase(0x0100); }, 1},
      {speed::super, "a head of 8", [](scripted& d) { d.answers[0x0200].resize(8); }, 6},
      {speed::super, "no configuration", [](scripted& d) { d.answers.erase(0x0200); }, 6},
      {speed::super, "half a configuration", [](scripted& d) { d.answers[0x0200].resize(17); }, 7}};
  for (const spoiled& each : all)
    attend_to(each.at, each.spoil, [&](scripted& device) {
      EXPECT_EQ(device.requests.size(), each.requests) << each.how;
      EXPECT_TRUE(said(not_usable)) << each.how;
      EXPECT_FALSE(said("no driver")) << each.how;
      EXPECT_TRUE(device.configurations.empty());
    });
}

TEST(usb_core, serves_a_device_without_texts) {
  attend_to(
      speed::super,
      [](scripted& d) {
        make_a_disk(d);
        d.answers.erase(0x0300);
      },
      [](scripted& device) {
        EXPECT_EQ(device.count(0x0301), 0u);
        EXPECT_EQ(device.configurations, std::vector<u32>{5});
        EXPECT_TRUE(said("\"\" serial \"\""));
      });
  attend_to(
      speed::super,
      [](scripted& d) {
        make_a_disk(d);
        d.answers[0x0100][14] = byte{0};  // no manufacturer
        d.answers.erase(0x0302);          // the product is refused
        d.answers[0x0300].resize(2);      // no language either: English is tried
      },
      [](scripted& device) {
        EXPECT_EQ(device.requests[2], (asked{get, 0x0302, 0x0409, 255}));
        EXPECT_EQ(device.requests[3], (asked{get, 0x0303, 0x0409, 255}));
        EXPECT_TRUE(said("\"\" serial \"S-1\""));
        EXPECT_EQ(device.configurations, std::vector<u32>{5});
      });
}

TEST(usb_core, takes_the_first_language_of_a_device) {
  attend_to(
      speed::super,
      [](scripted& d) {
        d.answers[0x0300] = of({6, 3, 0x11, 0x04, 0x09, 0x04});
      },
      [](scripted& device) { EXPECT_EQ(device.requests[2].index, 0x0411u); });
}

// One answer that is lost makes no other device of it. A STALL is an answer.
TEST(usb_core, asks_again_for_an_answer_that_was_lost) {
  for (const error why : {error::eio, error::etimedout}) {
    attend_to(
        speed::super,
        [&](scripted& d) {
          d.failures[0x0100] = {why, why};
        },
        [](scripted& device) {
          EXPECT_EQ(device.count(0x0100), 3u);
          EXPECT_FALSE(said(not_usable));
        });
    attend_to(
        speed::super,
        [&](scripted& d) {
          d.failures[0x0100] = {why, why, why};
        },
        [&](scripted& device) {
          EXPECT_EQ(device.count(0x0100), 3u);
          EXPECT_TRUE(said(why == error::eio ? "not usable (error 5)" : "not usable (error 110)"));
        });
  }
  for (const error why : {error::epipe, error::enodev})
    attend_to(
        speed::super, [&](scripted& d) { d.failures[0x0100] = {why}; },
        [](scripted& device) { EXPECT_EQ(device.count(0x0100), 1u); });
}

TEST(usb_core, reads_a_configuration_of_a_page_and_none_of_more) {
  constexpr u32 most = 4096;
  for (const u32 total : {513u, most - 1, most, most + 1})
    attend_to(
        speed::super,
        [&](scripted& d) {
          make_a_disk(d);
          bytes& row = d.answers[0x0200];
          row[2] = static_cast<byte>(total), row[3] = static_cast<byte>(total >> 8);
          while (row.size() < total) {  // descriptors of a kind that is skipped
            const size_t length = std::min<size_t>(200, total - row.size());
            row.push_back(static_cast<byte>(length));
            row.resize(row.size() + length - 1, byte{0x24});
          }
        },
        [&](scripted& device) {
          EXPECT_EQ(device.requests.back().length, std::min(total, most));
          EXPECT_EQ(device.configurations.size(), total <= most ? 1u : 0u);
        });
}

TEST(usb_core, says_what_it_does_not_support) {
  attend_to(
      speed::high, [](scripted& d) { d.answers[0x0100][4] = byte{9}; },
      [](scripted& device) {
        EXPECT_TRUE(said("usb 2-7: hubs are not supported yet\n"));
        EXPECT_FALSE(said(not_usable)) << "once is enough";
        EXPECT_EQ(device.count(0x0200), 0u);
      });
}

TEST(usb_core, says_nothing_of_a_device_that_has_gone) {
  attend_to(
      speed::super, [](scripted& d) { d.is_gone = true; },
      [](scripted& device) {
        EXPECT_FALSE(said(not_usable));
        EXPECT_EQ(device.requests.size(), 1u);
      });
}

TEST(usb_core, uses_the_first_alternate_setting_alone) {
  attend_to(
      speed::super,
      [](scripted& d) {
        make_a_disk(d);
        d.answers[0x0200][12] = byte{1};
      },
      [](scripted& device) {
        EXPECT_TRUE(device.configurations.empty());
        EXPECT_TRUE(said("no driver"));
      });
}

// --- configuring ---

TEST(usb_core, lists_a_device_from_plug_to_pull) {
  attend_to(speed::super, make_a_disk, [](scripted& device) {
    const std::string line =
        "Bus 002 Port 007: ID 46f4:1234 5000M \"Maker\" \"Thing\" serial \"S-1\" ";
    EXPECT_EQ(device.listed_while_configured, line + "driver none\n");
    EXPECT_EQ(device.listed_while_released,
              line + "not used: a disk without a pair of bulk endpoints\n");
  });
  constexpr std::pair<speed, const char*> names[] = {
      {speed::full, " 12M "}, {speed::high, " 480M "}, {speed::super_plus, " 10000M "}};
  for (const auto& [at, name] : names)
    attend_to(at, make_a_disk, [&](scripted& device) {
      EXPECT_NE(device.listed_while_configured.find(name), std::string::npos);
    });
  sim::run(1, [] {
    scripted slow(speed::low);
    slow.answers[0x0100][7] = byte{8};
    make_a_disk(slow);
    attend(slow);
    EXPECT_NE(slow.listed_while_configured.find(" 1.5M "), std::string::npos);
  });
}

TEST(usb_core, lists_no_device_that_has_gone) {
  attend_to(
      speed::super,
      [](scripted& d) {
        make_a_disk(d);
        d.configure_failures = {error::eio};
        d.goes_at_reset = 1;
      },
      [](scripted& device) {
        EXPECT_NE(device.listed_while_configured, "");
        EXPECT_EQ(device.resets, 1u);
        EXPECT_EQ(device.releases, 0u) << "its class driver never began";
        EXPECT_FALSE(said(not_usable));
      });
  sim::run(1, [] {
    scripted device(speed::super);
    make_a_disk(device);
    device.configure_failures = {error::eio};
    device.reset_failures = {error::eio};
    attend(device);
    EXPECT_EQ(device.resets, 2u);
  });
}

// Why a device is not used: for the list, in which the host controller keeps it.
TEST(usb_core, knows_why_a_device_is_not_used) {
  const auto reason = [](const std::function<void(scripted&)>& prepare) {
    std::string why;
    attend_to(speed::high, prepare,
              [&](scripted& device) { why = device.facts.unused ? device.facts.unused : ""; });
    return why;
  };
  EXPECT_EQ(reason({}), "no driver for this device");
  EXPECT_EQ(reason([](scripted& d) { d.answers[0x0100][4] = byte{9}; }),
            "hubs are not supported yet");
  EXPECT_EQ(reason([](scripted& d) { d.answers[0x0100][7] = byte{5}; }),
            "it describes itself wrongly");
  EXPECT_EQ(reason([](scripted& d) { d.answers.erase(0x0100); }), "it does not answer as it must");
  EXPECT_EQ(reason(make_a_disk), "a disk without a pair of bulk endpoints");
}

TEST(usb_core, lists_a_device_that_is_not_used_until_it_is_forgotten) {
  sim::run(1, [] {
    unused_device first, second;
    device_facts facts;
    facts.bus = 1, facts.port = 2, facts.vendor_id = 0x1234, facts.product_id = 0x5678;
    facts.at = speed::full;
    facts.unused = "it sleeps";
    remember(first, facts);
    const std::string line =
        "Bus 001 Port 002: ID 1234:5678 12M \"\" \"\" serial \"\" not used: it sleeps\n";
    EXPECT_EQ(scripted::list(), line);
    facts.port = 3;
    remember(second, facts);
    facts.port = 2;
    remember(first, facts);  // again, in its place
    std::string other = line;
    other[other.find('2')] = '3';
    EXPECT_EQ(scripted::list(), other + line);
    forget(second);
    forget(second);
    EXPECT_EQ(scripted::list(), line);
    forget(first);
    EXPECT_EQ(scripted::list(), "");
  });
}

// A step of the configuration that fails once does not cost the device: a reset makes it again.
TEST(usb_core, resets_a_device_that_is_not_configured) {
  for (u32 failing = 0; failing <= 3; ++failing)
    attend_to(
        speed::super,
        [&](scripted& d) {
          make_a_disk(d);
          d.configure_failures = {error::epipe};
          d.reset_failures.assign(failing, error::etimedout);
        },
        [&](scripted& device) {
          EXPECT_EQ(device.configurations.size(), 1u);
          EXPECT_EQ(device.resets, std::min(failing + 1, 3u));
          EXPECT_EQ(device.releases, failing < 3 ? 1u : 0u) << "its class driver has served it";
          EXPECT_EQ(said("not usable (error 110)"), failing == 3);
        });
}

TEST(usb_core, brings_into_step_in_three_tries) {
  sim::run(1, [] {
    scripted device(speed::super);
    EXPECT_TRUE(bring_into_step(device));
    EXPECT_EQ(device.resets, 1u);
    device.reset_failures = {error::eio, error::epipe, error::etimedout};
    EXPECT_EQ(bring_into_step(device).error(), error::etimedout);
    EXPECT_EQ(device.resets, 4u);
    device.goes_at_reset = 5;
    EXPECT_EQ(bring_into_step(device).error(), error::enodev);
    EXPECT_EQ(bring_into_step(device).error(), error::enodev);
    EXPECT_EQ(device.resets, 5u) << "none of a device that has gone";
  });
}

// Every class driver's object fits, on pages of its own.
TEST(usb_core, reserves_what_a_class_driver_needs) {
  sim::run(1, [] {
    driver_memory memory;
    ASSERT_TRUE(memory.allocate());
    EXPECT_EQ(memory.page.bytes().size(), 4096u);
    for (const class_driver& each : class_drivers())
      EXPECT_GE(memory.object.bytes().size(), each.object_size);
  });
}

}  // namespace
}  // namespace usb

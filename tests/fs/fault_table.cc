#include "tests/fs/fault_table.h"

#include <algorithm>
#include <array>
#include <ranges>

#include "hal/clock.h"
#include "tests/sim/memory.h"
#include "tests/sim/scheduler.h"

namespace sim {

void strikes::wait_for(const void* setting, std::function<bool()> acted) {
  settle(setting);
  waiting_[setting] = std::move(acted);
}

void strikes::settle(const void* setting) {
  if (const auto found = waiting_.find(setting); found != waiting_.end() && found->second()) add();
  waiting_.erase(setting);
}

void strikes::settle() {
  while (!waiting_.empty()) settle(waiting_.begin()->first);
}

namespace {

constexpr u8 read_10 = 0x28, write_10 = 0x2A, synchronize = 0x35;

// --- ways to strike

// Settings that a device takes back when it acts on them.
template <class Value>
void set(fault_scene& scene, std::optional<Value>& setting, Value value) {
  scene.struck->wait_for(&setting, [&setting] { return !setting.has_value(); });
  setting = value;
}

void set(fault_scene& scene, bool& setting) {
  scene.struck->wait_for(&setting, [&setting] { return !setting; });
  setting = true;
}

void set(fault_scene& scene, hc::controller::planned_fault& setting,
         hc::controller::planned_fault value) {
  scene.struck->wait_for(&setting, [&setting] { return setting.left == 0; });
  setting = value;
}

// The next commands of this kind fail on the medium.
template <block_command Kind>
void fail_on_medium(fault_scene& scene) {
  scene.stick.fault = [left = scene.times, struck = scene.struck](block_command cmd, lba,
                                                                  u32) mutable {
    if (cmd != Kind || left == 0) return std::optional<error>();
    --left;
    struck->add();
    return std::optional(error::eio);
  };
}

// The next commands with this operation code are answered otherwise.
template <u8 Opcode, auto How>
void meddle(fault_scene& scene) {
  scene.machine.stick_of(scene.stick).meddle = [left = scene.times, struck = scene.struck](
                                                   u8 now, usb_stick::answer& answer) mutable {
    if (now != Opcode || left == 0) return;
    --left;
    struck->add();
    How(answer);
  };
}

constexpr auto hang = [](usb_stick::answer& a) { a.hang = true; };
constexpr auto wrong_tag = [](usb_stick::answer& a) { a.wrong_tag = true; };
constexpr auto wrong_signature = [](usb_stick::answer& a) { a.wrong_signature = true; };
constexpr auto status_twice = [](usb_stick::answer& a) { a.status_twice = true; };
constexpr auto late = [](usb_stick::answer& a) { a.late = 2_s; };
constexpr auto stall_status = [](usb_stick::answer& a) { a.stall_status = true; };
constexpr auto stall_data = [](usb_stick::answer& a) {
  a.stall_data = true;
  a.status = 1;
};
constexpr auto leave_data = [](usb_stick::answer& a) {
  a.status = 1;
  a.residue = 1;
  a.leave_data = true;
};
constexpr auto short_data = [](usb_stick::answer& a) {
  a.data.resize(a.data.size() / 2);
  a.residue = static_cast<u32>(a.data.size());
};
constexpr auto status_as_data = [](usb_stick::answer& a) {
  a.status = 1;
  a.status_as_data = true;
};
constexpr auto failed_status = [](usb_stick::answer& a) { a.status = 1; };
constexpr auto phase_error = [](usb_stick::answer& a) { a.status = 2; };

// Counts the commands that the disk inside the stick refuses: with this operation code, or any.
void count_refused(fault_scene& scene, std::optional<u8> opcode) {
  scene.machine.stick_of(scene.stick).meddle = [struck = scene.struck, opcode](
                                                   u8 now, usb_stick::answer& answer) {
    if (answer.status != 0 && now == opcode.value_or(now)) struck->add();
  };
}

// The next commands, whatever they are, end with this sense.
template <u8 Key, u8 Asc, bool Deferred = false>
void next_fail(fault_scene& scene) {
  count_refused(scene, {});
  scsi_target& disk = scene.machine.stick_of(scene.stick).disk();
  for (u32 i = 0; i < scene.times; ++i) disk.failures.push_back({Key, Asc, 0, Deferred});
}

template <u8 Opcode, u8 Key, u8 Asc, bool Deferred = false>
void second_fails(fault_scene& scene) {
  count_refused(scene, Opcode);
  scene.machine.stick_of(scene.stick).disk().fail_at(Opcode, scene.times, {Key, Asc, 0, Deferred});
}

template <u8 Opcode, u8 Key, u8 Asc>
void none_succeeds(fault_scene& scene) {
  count_refused(scene, Opcode);
  scene.machine.stick_of(scene.stick).disk().never_succeeds[Opcode] = {Key, Asc, 0};
}

// Pulls the stick a little later, once or twice, and plugs it in again with something wrong.
void come_back(fault_scene& scene, void (*trouble)(fault_scene&)) {
  daemon("hand", [scene, trouble]() mutable {
    for (u32 i = 0; i < scene.times; ++i) {
      sleep_for(duration{static_cast<i64>(random_below(5'000'000))});
      if (scene.stick.plugged()) scene.stick.pull({.loss = cache_loss::some});
      sleep_for(300_ms);
      trouble(scene);
      if (!scene.stick.plugged()) scene.stick.plug(scene.machine.port(i % 2 ? 1 : 2));
    }
  });
}

template <u32 Type>
void return_to_hanging_command(fault_scene& scene) {
  come_back(scene, [](fault_scene& at) { set(at, at.machine.controller().hang_command, Type); });
}

template <u32 Value>
void return_without_descriptor(fault_scene& scene) {
  come_back(scene,
            [](fault_scene& at) { set(at, at.machine.stick_of(at.stick).lose_descriptor, Value); });
}

// One of the stick's next transfers ends with this code; 0: not at all.
template <u32 Code>
void fail_transfers(fault_scene& scene) {
  daemon("fault", [scene]() mutable {
    for (u32 i = 0; i < scene.times; ++i) {
      set(scene, scene.machine.controller().fail_transfer,
          {static_cast<u32>(1 + random_below(6)), Code, stick_port});
      sleep_for(20_ms);
    }
  });
}

template <u32 Code>
void return_to_failing_command(fault_scene& scene) {
  come_back(scene, [](fault_scene& at) {
    set(at, at.machine.controller().fail_command, {static_cast<u32>(1 + random_below(3)), Code});
  });
}

// A transfer hangs, and so does the command that takes it back.
template <u32 Type>
void hang_twofold(fault_scene& scene) {
  set(scene, scene.machine.controller().hang_command, Type);
  meddle<write_10, hang>(scene);
}

// Some seconds of noise on the cable.
void make_noise(fault_scene& scene) {
  daemon("fault", [scene] {
    hc::controller& controller = scene.machine.controller();
    for (u32 i = 0; i < scene.times; ++i) {
      const u32 before = controller.packets_lost;
      controller.noise = 15;
      sleep_for(3_s);
      controller.noise = 0;
      if (controller.packets_lost > before) scene.struck->add();
    }
  });
}

// Something happens to the stick's port while it works.
void strike_port(fault_scene& scene, void (*trouble)(hc::controller&)) {
  daemon("fault", [scene, trouble] {
    for (u32 i = 0; i < scene.times; ++i) {
      sleep_for(duration{static_cast<i64>(random_below(4'000'000))});
      trouble(scene.machine.controller());
      scene.struck->add();
      sleep_for(3_s);
    }
  });
}

// A data buffer error, after which the controller goes on; or not.
void fail_data(fault_scene& scene) {
  scene.machine.controller().goes_on_after_data_errors = random_chance(2);
  fail_transfers<hc::data_buffer_error>(scene);
}

// The device must be reset, and the port does not do that at once.
void fail_port_resets(fault_scene& scene) {
  scene.machine.controller().fail_resets(stick_port, scene.times);
  scene.struck->wait_for(&scene.machine, [&controller = scene.machine.controller()] {
    return controller.resets_left_to_fail(stick_port) == 0;
  });
  meddle<write_10, hang>(scene);
}

const std::array faults{
    fault{"read_error", "medium::fault", fail_on_medium<block_command::read>},
    fault{"write_error", "medium::fault", fail_on_medium<block_command::write>},
    fault{"flush_error", "medium::fault", fail_on_medium<block_command::flush>},
    fault{"unit_attention", "scsi_target::failures", next_fail<6, 0x2A>},
    fault{"power_on_reset", "scsi_target::failures medium::forget_cache",
          [](fault_scene& scene) {
            scene.stick.forget_cache();
            next_fail<6, 0x29>(scene);
          }},
    fault{"medium_changed", "scsi_target::failures", next_fail<6, 0x28>},
    fault{"becoming_ready", "scsi_target::failures", next_fail<2, 0x04>},
    fault{"aborted_command", "scsi_target::failures", next_fail<0xB, 0>},
    fault{"deferred_error", "scsi_target::failures medium::drop_cache", next_fail<3, 0x0C, true>},
    fault{"deferred_at_flush", "scsi_target::fail_at", second_fails<synchronize, 3, 0x0C, true>},
    fault{"deferred_at_write", "scsi_target::fail_at", second_fails<write_10, 3, 0x0C, true>},
    fault{"refused_write", "scsi_target::never_succeeds", none_succeeds<write_10, 3, 0x0C>, true,
          true},
    fault{"refused_read", "scsi_target::never_succeeds", none_succeeds<read_10, 3, 0x11>, true},
    fault{"refused_flush", "scsi_target::never_succeeds", none_succeeds<synchronize, 3, 0x0C>,
          true},
    fault{"hanging_read", "usb_stick::answer::hang", meddle<read_10, hang>},
    fault{"hanging_write", "usb_stick::answer::hang", meddle<write_10, hang>},
    fault{"hanging_flush", "usb_stick::answer::hang", meddle<synchronize, hang>},
    fault{"wrong_tag_read", "usb_stick::answer::wrong_tag", meddle<read_10, wrong_tag>},
    fault{"wrong_tag_write", "usb_stick::answer::wrong_tag", meddle<write_10, wrong_tag>},
    fault{"wrong_tag_flush", "usb_stick::answer::wrong_tag", meddle<synchronize, wrong_tag>},
    fault{"wrong_signature", "usb_stick::answer::wrong_signature",
          meddle<synchronize, wrong_signature>},
    fault{"status_twice_read", "usb_stick::answer::status_twice", meddle<read_10, status_twice>},
    fault{"status_twice_write", "usb_stick::answer::status_twice", meddle<write_10, status_twice>},
    fault{"late_answer", "usb_stick::answer::late", meddle<write_10, late>},
    fault{"stalled_status", "usb_stick::answer::stall_status", meddle<write_10, stall_status>},
    fault{"stalled_read", "usb_stick::answer::stall_data", meddle<read_10, stall_data>},
    fault{"stalled_write", "usb_stick::answer::stall_data", meddle<write_10, stall_data>},
    fault{"data_left", "usb_stick::answer::leave_data", meddle<write_10, leave_data>},
    fault{"short_data", "usb_stick::answer::data usb_stick::answer::residue",
          meddle<read_10, short_data>, true},
    fault{"failed_without_sense", "usb_stick::answer::status", meddle<write_10, failed_status>},
    fault{"phase_error", "usb_stick::answer::status", meddle<write_10, phase_error>},
    fault{"controller_fails", "controller::break_down",
          [](fault_scene& scene) {
            daemon("fault", [scene] {
              for (u32 i = 0; i < scene.times; ++i) {
                sleep_for(duration{static_cast<i64>(random_below(4'000'000))});
                scene.machine.controller().break_down();
                scene.struck->add();
                sleep_for(3_s);
              }
            });
          }},
    fault{"pull", "medium::pull",
          [](fault_scene& scene) {
            come_back(scene, [](fault_scene& at) {
              if (!at.stick.plugged()) at.struck->add();
            });
          }},
    fault{"pull_at_a_step", "medium::pull_at",
          [](fault_scene& scene) {
            scene.stick.pull_at(scene.stick.steps() + 1 + random_below(1'500),
                                {.loss = cache_loss::some});
            daemon("hand", [scene] {
              for (int i = 0; i < 20 && scene.stick.plugged(); ++i) sleep_for(200_ms);
              if (scene.stick.plugged()) return;
              scene.struck->add();
              scene.stick.plug(scene.machine.port(2));
            });
          }},
    fault{"return_enable_slot", "controller::hang_command", return_to_hanging_command<9>},
    fault{"return_address_device", "controller::hang_command", return_to_hanging_command<11>},
    fault{"return_configure", "controller::hang_command", return_to_hanging_command<12>},
    fault{"transaction_error", "controller::fail_transfer", fail_transfers<4>},
    fault{"silent_transfer", "controller::fail_transfer", fail_transfers<0>},
    fault{"data_buffer_error", "controller::fail_transfer controller::goes_on_after_data_errors",
          fail_data},
    fault{"noise", "controller::noise", make_noise},
    fault{"lost_link", "controller::lose_link",
          [](fault_scene& scene) {
            strike_port(scene, [](hc::controller& at) { at.lose_link(stick_port); });
          }},
    fault{"over_current", "controller::over_current controller::end_over_current",
          [](fault_scene& scene) {
            strike_port(scene, [](hc::controller& at) {
              at.over_current(stick_port);
              sleep_for(100_ms);
              at.end_over_current(stick_port);
            });
          }},
    fault{"changes_of_a_port", "controller::tell_changes",
          [](fault_scene& scene) {
            strike_port(scene, [](hc::controller& at) {
              at.tell_changes(stick_port, hc::change_link | hc::change_config_error);
            });
          }},
    fault{"failing_reset", "controller::fail_resets", fail_port_resets},
    fault{"bouncing", "controller::bouncing",
          [](fault_scene& scene) {
            come_back(scene, [](fault_scene& at) {
              at.machine.controller().bouncing = 2500_ms;
              at.struck->add();
            });
          }},
    fault{"compliance", "controller::train_as",
          [](fault_scene& scene) {
            come_back(scene, [](fault_scene& at) {
              for (u32 port : {1u, 2u})
                at.machine.controller().train_as(port, hc::controller::training::compliance);
              at.struck->add();
            });
          }},
    fault{"return_failing_command", "controller::fail_command", return_to_failing_command<4>},
    fault{"stop_endpoint", "controller::hang_command", hang_twofold<15>},
    fault{"set_dequeue", "controller::hang_command", hang_twofold<16>},
    fault{"ring_not_stopping", "controller::ring_never_stops",
          [](fault_scene& scene) {
            set(scene, scene.machine.controller().ring_never_stops);
            hang_twofold<15>(scene);
          }},
    fault{"ring_ignored", "controller::ignore_commands",
          [](fault_scene& scene) {
            come_back(scene,
                      [](fault_scene& at) { set(at, at.machine.controller().ignore_commands); });
          }},
    fault{"lost_device_descriptor", "usb_stick::lose_descriptor", return_without_descriptor<0x100>},
    fault{"lost_configuration", "usb_stick::lose_descriptor", return_without_descriptor<0x200>},
    fault{"lost_request", "usb_stick::lose_request",
          [](fault_scene& scene) {
            come_back(scene, [](fault_scene& at) {
              set(at, at.machine.stick_of(at.stick).lose_request, u8{9});
            });
          }},
    fault{"refused_request", "usb_stick::refuse_request",
          [](fault_scene& scene) {
            come_back(scene, [](fault_scene& at) {
              set(at, at.machine.stick_of(at.stick).refuse_request, u8{9});
            });
          }},
    fault{"slow_stick", "medium::least_latency medium::most_latency",
          [](fault_scene& scene) {
            const auto is_slow = [](const command_record& each) {
              return each.ended - each.begun >= 200_ms;
            };
            scene.struck->wait_for(
                &scene.stick.least_latency,
                [&stick = scene.stick, before = scene.stick.log().size(), is_slow] {
                  return std::ranges::any_of(stick.log() | std::views::drop(before), is_slow);
                });
            scene.stick.least_latency = 200_ms;
            scene.stick.most_latency = 2_s;
          }},
    fault{"recovered_error", "scsi_target::failures",
          [](fault_scene& scene) {
            std::deque<scsi_target::sense>& failures =
                scene.machine.stick_of(scene.stick).disk().failures;
            scene.struck->wait_for(&failures, [&failures] { return failures.empty(); });
            failures.assign(scene.times, {1, 0x17, 0});
          }},
    fault{"status_in_place_of_data", "usb_stick::answer::status_as_data",
          meddle<read_10, status_as_data>},
};

// A command hangs for some time, then it goes on.
template <u8 Opcode>
void hang_for(fault_scene& scene, duration lasts) {
  usb_stick& device = scene.machine.stick_of(scene.stick);
  device.meddle = [&device, lasts, left = scene.times, struck = scene.struck](
                      u8 now, usb_stick::answer& a) mutable {
    if (now != Opcode || left == 0) return;
    --left;
    struck->add();
    a.hang = true;
    daemon("end of hang", [&device, lasts] {
      sleep_for(lasts);
      device.stop_hanging();
    });
  };
}

void be_away_for(fault_scene& scene, duration lasts) {
  daemon("hand", [scene, lasts] {
    scene.stick.pull({.loss = cache_loss::some});
    if (!scene.stick.plugged()) scene.struck->add();
    sleep_for(lasts);
    scene.stick.plug(scene.machine.port(1));
  });
}

const std::array time_limits{
    time_limit_case{"read", 30_s, 100_ms, hang_for<read_10>, 0, true},
    time_limit_case{"write", 30_s, 100_ms, hang_for<write_10>, 1, true},
    time_limit_case{"flush", 60_s, 100_ms, hang_for<synchronize>, 1, true},
    time_limit_case{"io_wait", 30_s, 2_s, be_away_for, 1, false},
};

constexpr std::array left_out_faults{
    left_out{"medium::step_record", "a type"},
    left_out{"medium::steps", "a question"},
    left_out{"medium::trace", "a question"},
    left_out{"medium::phase", "a question"},
    left_out{"medium::reads_are_steps", "a setting of pull_at"},
    left_out{"medium::flush_lies", "a stick that lies loses data: pull_sweep_itself"},
    left_out{"scsi_target::block_size", "such a stick is never used: scsi_test.cc"},
    left_out{"scsi_target::claimed_last_lba", "a property, not an event: usb_disk_test.cc"},
    left_out{"scsi_target::removable_medium", "a property, not an event: usb_disk_test.cc"},
    left_out{"scsi_target::tells_of_resets", "a property: lost_news_test.cc"},
    left_out{"scsi_target::reset_clears_attentions", "a property: lost_news_test.cc"},
    left_out{"scsi_target::fault_key", "of the medium's faults: bad_block_test.cc"},
    left_out{"scsi_target::tells_write_cache", "a property, not an event: scsi_examine_test.cc"},
    left_out{"scsi_target::inquiry_length", "a property, not an event: scsi_rules_test.cc"},
    left_out{"scsi_target::mode_pages", "a property, not an event: scsi_examine_test.cc"},
    left_out{"scsi_target::mode_length", "a property, not an event: scsi_examine_test.cc"},
    left_out{"controller::resets_left_to_fail", "a question"},
    left_out{"controller::has_power", "a question"},
    left_out{"controller::packets_lost", "a question"},
    left_out{"controller::disable_port", "a port of USB 2: xhci_port_trouble_test.cc"},
    left_out{"controller::commands_begun", "a question"},
    left_out{"controller::says", "wrong registers: start_test.cc"},
    left_out{"controller::off_the_bus", "the machine does not live on: machine_test.cc"},
    left_out{"medium::on_pull", "what a test hears, no fault"},
    left_out{"controller::deadly_moment", "of the next one"},
    left_out{"controller::deadly_port", "the device is at fault: xhci_deadly_device_test.cc"},
    left_out{"controller::hanging_command_is_slow", "xhci_bad_device_test.cc"},
    left_out{"controller::leave_running", "of the boot: xhci_dead_controller_test.cc"},
    left_out{"controller::stops_at_a_look", "xhci_bad_device_test.cc"},
    left_out{"controller::never_halts", "the machine does not live on: machine_test.cc"},
    left_out{"controller::post_event", "what a test does, no fault"},
    left_out{"controller::never_resets", "the machine does not live on: machine_test.cc"},
    left_out{"controller::cut_off", "what the driver does then, no fault"},
    left_out{"controller::is_cut_off", "a question"},
    left_out{"controller::lose_event_of", "xhci_fault_test.cc"},
    left_out{"controller::put_behind_hubs", "where the device stands, no fault"},
    left_out{"controller::restore", "what the driver does then, no fault"},
};

}  // namespace

std::span<const fault> all_faults() { return faults; }
std::span<const time_limit_case> all_time_limits() { return time_limits; }
std::span<const left_out> faults_left_out() { return left_out_faults; }

void end_faults(fault_scene& scene) {
  scene.struck->settle();
  usb_stick& device = scene.machine.stick_of(scene.stick);
  hc::controller& controller = scene.machine.controller();
  scene.stick.fault = {};
  scene.stick.pull_at(0, {});
  scene.stick.least_latency = 50_us;
  scene.stick.most_latency = 400_us;
  device.meddle = {};
  device.disk().never_succeeds.clear();
  device.disk().failures.clear();
  device.disk().fail_at(0, 0, {});
  device.lose_descriptor.reset();
  device.lose_request.reset();
  device.refuse_request.reset();
  device.stop_hanging();
  controller.hang_command.reset();
  controller.fail_transfer = controller.fail_command = {};
  controller.ignore_commands = controller.ring_never_stops = false;
  controller.noise = 0;
  controller.bouncing = {};
  controller.goes_on_after_data_errors = false;
  controller.fail_resets(stick_port, 0);
}

}  // namespace sim

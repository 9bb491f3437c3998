#include "drivers/usb/storage/unit.h"

#include <algorithm>
#include <utility>

#include "drivers/block/media_event.h"
#include "hal/clock.h"
#include "hal/log.h"
#include "lib/format.h"

namespace usb::storage {

namespace {

// How often a unit that takes media is asked whether there is another one, and how often a disk
// that has left is looked at for references.
constexpr duration look_interval = 1_s, let_go_interval = 10_ms;

// The media of units that are not the first one of their device; MAX_FURTHER_MEDIA at most.
constinit u32 further_media = 0;

}  // namespace

duration pace::pause_after(duration life) {
  constexpr duration lasting = 10_s, longest = 12'800_ms;
  pause_ = life >= lasting ? duration{} : std::clamp(pause_ + pause_, shortest, longest);
  return pause_;
}

// A unit whose last command ended only by a reset is looked at before it gets a further request:
// one that answers has a bad place, and one that does not is given up.
bool unit::step() {
  const bool look_first = disk_.hangs() > 0 && now() >= next_look_;
  if (state_ == state::present && !look_first && !is_resting() && plug_->carry_out_next()) {
    if (disk_.hangs() > 0) next_look_ = now();
    if (disk_.hangs() > 0) rest_until_ = now() + disk_.rest_after_hang();
    if (plug_->gone()) end_plug();
    return true;
  }
  if (next_look_ == never || now() < next_look_) return false;
  look();
  return true;
}

bool unit::is_resting() {
  if (rest_until_ == instant{}) return false;
  if (now() < rest_until_) return true;
  rest_until_ = {};
  return false;
}

instant unit::next_look() const {
  if (state_ != state::present) return next_look_;
  return std::min(next_look_, rest_until_ == instant{} ? plug_->next_try() : rest_until_);
}

void unit::look() {
  look_now();
  // Also a look that failed in a way that tells nothing may have reset the device.
  if (next_look_ != never && state_ != state::leaving)
    next_look_ = std::max(next_look_, rest_until_);
}

void unit::look_now() {
  switch (state_) {
    case state::empty: return examine();
    case state::useless:
      return now() >= again_ || may_be_exchanged() ? examine() : look_for_a_change();
    case state::present: return look_for_a_change();
    case state::leaving: return let_go();
    case state::ended: return;
  }
}

void unit::examine() {
  state_ = state::empty;
  next_look_ = now() + look_interval;
  const u32 resets_before = disk_.resets();
  const result<disk_facts> facts = disk_.make_ready();
  if (disk_.device().gone()) return;
  rest_if_reset(resets_before);
  if (disk_.given_up()) return end(disk_.obstacle());
  if (disk_.hangs_when_examined()) return give_up();
  if (facts)
    arrive(*facts);
  else if (facts.error() == error::enomedium)
    forget_medium();
  else if (facts.error() == error::ebusy)
    tell_unused(nullptr);  // another one, perhaps, is becoming ready
  else
    refuse(facts.error());
}

// The unit's own command has reset the device, if it was reset since.
void unit::rest_if_reset(u32 resets_before) {
  if (disk_.resets() != resets_before) rest_until_ = now() + disk_.rest_after_hang();
}

void unit::give_up() {
  constexpr const char* why = "it hangs each time that it is examined";
  printk("%s: %s, and is given up\n", disk_.name().data(), why);
  end(why);
}

void unit::arrive(const disk_facts& facts) {
  if (disk_.number() > 0 && further_media == MAX_FURTHER_MEDIA)
    return tell_unused("there are too many media");  // until another one leaves
  further_media += disk_.number() > 0;
  plug_.emplace(disk_, facts, segments_);
  state_ = state::present;
  again_ = never;
  forget_medium();
  since_ = now();
  next_look_ = facts.removable_medium ? now() + look_interval : never;
  media_arrived(*plug_);
}

// A reset of the device, for any of its units, may have cleared the news that a medium of no use
// was exchanged.
bool unit::may_be_exchanged() const {
  return disk_.takes_media() && disk_.resets() != resets_at_refusal_;
}

// A disk that this driver cannot use stays what it is. Any other failure may be over the next time.
void unit::refuse(error why) {
  if (!std::exchange(told_, true))
    printk("%s: the disk is not usable (error %d)\n", disk_.name().data(), to_errno(why));
  const bool for_good = disk_.is_of_no_use();
  if (for_good && !disk_.takes_media()) return end(disk_.obstacle());
  resets_at_refusal_ = disk_.resets();
  tell_unused(disk_.obstacle());
  state_ = state::useless;
  since_ = now();
  again_ = for_good ? never : std::max(now() + pause_after(duration{}), rest_until_);
  next_look_ = disk_.takes_media() ? std::min(again_, now() + look_interval) : again_;
}

void unit::end(const char* why) {
  tell_unused(why);
  state_ = state::ended;
  next_look_ = never;
}

// Of a medium that is of no use nothing is told any more: it has left, or another one has come.
void unit::forget_medium() {
  told_ = false;
  tell_unused(nullptr);
}

void unit::tell_unused(const char* why) {
  unused_ = why;
  if (alone_) {
    disk_.device().facts.unused = why;
    return;
  }
  forget(listed_);
  if (!why || disk_.device().gone()) return;  // after a pull the unit must not be in the list
  device_facts facts = disk_.device().facts;
  format(facts.product, "%s unit %u", disk_.device().facts.product.data(), disk_.number());
  facts.unused = why;
  remember(listed_, facts);
}

// Whether the medium was taken out. One that cannot be used is examined again when it has been
// exchanged.
void unit::look_for_a_change() {
  const u32 resets_before = disk_.resets();
  const result<void> ready = disk_.test_ready();
  rest_if_reset(resets_before);
  next_look_ = disk_.takes_media() ? now() + look_interval : again_;
  if (ready || !ends_the_plug(ready.error())) {
    if (state_ == state::useless) next_look_ = std::min(next_look_, again_);
    return;
  }
  if (state_ == state::present) return end_plug();
  if (disk_.given_up()) return end(disk_.obstacle());
  if (disk_.device().gone()) return;
  state_ = state::empty;
  forget_medium();
  next_look_ = now() + pace_.pause_after(now() - since_);
}

// Before the next examination, after a plug of this length.
duration unit::pause_after(duration life) {
  return disk_.expects_attention() ? pace::shortest : pace_.pause_after(life);
}

// The medium has left, though the device has not.
void unit::end_plug() {
  pause_ = pause_after(now() - since_);
  leave();
  next_look_ = now();
}

void unit::leave() {
  forget(listed_);
  if (state_ != state::present) return;
  plug_->end();
  media_left(*plug_);
  state_ = state::leaving;
}

// When the last reference has been dropped, the next medium may arrive.
void unit::let_go() {
  next_look_ = now() + let_go_interval;
  if (!plug_->wait_unreferenced(instant{})) return;
  plug_.reset();
  further_media -= disk_.number() > 0;
  if (disk_.given_up()) return end(disk_.obstacle());
  state_ = state::empty;
  next_look_ = std::max(now() + pause_, rest_until_);
}

void unit::wait_until_let_go() {
  if (state_ == state::leaving) static_cast<void>(plug_->wait_unreferenced());
  if (plug_) let_go();
}

}  // namespace usb::storage

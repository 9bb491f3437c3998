// The status wrappers (CSW) of a mass storage device, and its transfers: short, stalled, lost.
#include <cstring>
#include <optional>

#include "drivers/usb/storage/bot.h"
#include "drivers/usb/storage/sense.h"
#include "hal/clock.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/scripted_device.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

using namespace usb::storage;

// What is at a segment, which ends where its memory ends.
class data_memory {
 public:
  explicit data_memory(u32 length) : buffer_(*dma_buffer::allocate(std::max(length, 1u), 16)) {
    segment = {buffer_.address(), length};
  }
  std::span<const byte> bytes() const { return buffer_.bytes().first(segment.length); }
  dma_segment segment;

 private:
  dma_buffer buffer_;
};

void execute(bulk_only& bot, input& in) {
  const u8 kind = in.number();
  const u32 length = kind % 4 == 0 ? 0 : u32{in.number16()} % 2049;
  const data_memory data(length);
  scsi_command command;
  command.unit = kind >> 6;
  command.cdb[0] = in.number();
  command.cdb_length = kind & 8 ? 16 : 10;
  if (length > 0) {
    command.data = kind & 16 ? direction::out : direction::in;
    command.segments = std::span(&data.segment, 1);
    command.length = length;
    if (command.data == direction::in) command.head = data.bytes();
    if (kind & 32) command.least = std::min(length, 8u);
  }
  const auto reply = bot.execute(command);
  if (!reply) return;
  demand(reply->actual <= length, "more bytes than were asked for");
  static_cast<void>(judge(parse_sense(reply->sense)));
}

void run(std::span<const byte> bytes) {
  input in(bytes);
  scripted_device device(in);
  bulk_only bot(device, scripted_device::interface());
  demand(bot.count_units() - 1 < 16, "no unit, or more than there are");
  for (u32 commands = 0; commands < 6 && !in.ended(); ++commands) execute(bot, in);
}

}  // namespace

const target status_wrappers{"status_wrappers", [] {}, run};

}  // namespace fuzz

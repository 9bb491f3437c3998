// What a SCSI disk tells: INQUIRY, READ CAPACITY, MODE SENSE, sense data, in any order.
#include <algorithm>

#include "drivers/usb/storage/scsi.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/machine.h"
#include "tests/fuzz/scripted_device.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

namespace {

using namespace usb::storage;

// Every command gets the answer that the input has next.
class scripted_transport final : public transport {
 public:
  scripted_transport(scripted_device& device, input& in) : transport(device), input_(in) {}

  result<command_reply> execute(const scsi_command& command) override {
    const u8 how = input_.number();
    if (how == 0xff) return fail(error::enodev);
    if (how >= 0xfc) {
      ++resets_;
      return fail(how == 0xfe ? error::etimedout : error::eio);
    }
    command_reply reply;
    reply.failed = how >= 0xe0;
    if (reply.failed)
      reply.sense = fill_sense(how);
    else
      reply.actual = move(command);
    return reply;
  }
  u8 count_units() override { return 1; }

 private:
  // Of 18 bytes or fewer: mostly in the fixed format.
  std::span<const byte> fill_sense(u8 how) {
    const size_t length = how % 4 == 0 ? input_.number() % sense_.size() : sense_.size();
    const std::span<byte> sense = std::span(sense_).first(length);
    input_.fill(sense);
    if (how % 4 == 1 && !sense.empty()) sense[0] = byte{0x70};
    return sense;
  }

  u32 move(const scsi_command& command) {
    u32 moved = command.length;
    if (command.data == direction::in)
      for (const dma_segment& s : command.segments) {
        const u8 most = input_.number();
        const auto from = input_.take(std::min<size_t>(s.length, most));
        std::ranges::copy(from, memory_at(s).begin());
        if (from.size() < most) moved = std::min(moved, static_cast<u32>(from.size()));
      }
    return moved;
  }

  input& input_;
  std::array<byte, 18> sense_{};
};

void demand_text(std::span<const char> text) {
  demand(std::ranges::find(text, '\0') != text.end(), "a name without an end");
}

void use_disk(input& in) {
  scripted_device device(in);
  scripted_transport carrier(device, in);
  scsi_disk disk(carrier, 0, in.number() & 1);
  const dma_buffer data = *dma_buffer::allocate(2 * BLOCK_SIZE, 16);
  for (u32 tries = 0; tries < 3 && !in.ended(); ++tries) {
    const auto facts = disk.make_ready();
    if (!facts) continue;
    demand_text(facts->vendor);
    demand_text(facts->product);
    const dma_segment segment{data.address(), 2 * BLOCK_SIZE};
    for (const bool write : {false, true})
      static_cast<void>(disk.read_write(write, lba(0), 4, std::span(&segment, 1),
                                        data.bytes().first(BLOCK_SIZE)));
    static_cast<void>(disk.synchronize_cache());
    static_cast<void>(disk.test_ready());
    static_cast<void>(disk.take_cache_doubt());
  }
}

void run(std::span<const byte> bytes) {
  input in(bytes);
  const u8 kind = in.number();
  if (kind % 3 == 2) return use_disk(in);
  const auto rest = in.take(bytes.size());
  disk_facts facts;
  if (kind % 3 == 0)
    static_cast<void>(judge(parse_sense(rest)));
  else
    static_cast<void>(parse_mode_sense(rest, facts));
}

}  // namespace

const target scsi_data{"scsi_data", [] {}, run};

}  // namespace fuzz

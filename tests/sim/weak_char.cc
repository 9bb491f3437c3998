// For as long as drivers/char has no bodies that the host could build.
#include "drivers/char/info_device.h"
[[gnu::weak]] void register_info(abi::info_file, info_text, info_command) {}
[[gnu::weak]] void info_init() {}
#include "drivers/char/char_device.h"
[[gnu::weak]] result<const char_device*> find_char_device(dev_id) { return fail(error::enxio); }

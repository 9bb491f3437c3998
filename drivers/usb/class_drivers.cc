// The class drivers: the one place of the USB core that knows them by name. Hubs and UAS are to be
// added here.
#include "drivers/usb/core.h"
#include "drivers/usb/storage/session.h"

namespace usb {

namespace {

constexpr class_driver drivers[] = {
    {"usb-storage", storage::matches, storage::serve, storage::object_size},
};

}  // namespace

std::span<const class_driver> class_drivers() { return drivers; }

}  // namespace usb

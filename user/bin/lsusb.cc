// lsusb: the USB devices, as the kernel tells it.
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv, "\nShows the USB devices.");
  return tool::end(tool::print_file("/dev/usb"));
}

// sync: returns when everything written so far is durable, on every device.
#include <tool.h>
#include <unistd.h>

int main(int, char** argv) {
  tool::begin(argv,
              "\nWrites every dirty buffer to its device and waits until it is durable there.");
  if (sync() < 0) return tool::complain("not everything was written");
  return 0;
}

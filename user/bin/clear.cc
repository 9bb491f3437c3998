// clear: an empty screen.
#include <stdio.h>
#include <tool.h>

int main() {
  fputs("\033[H\033[2J", stdout);
  return tool::end(0);
}

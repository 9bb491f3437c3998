// ps: the processes, from /dev/tasks: number, father, state, ticks of processor time, name.
#include <stdio.h>
#include <string.h>
#include <tool.h>

int main(int, char** argv) {
  tool::begin(argv,
              "\nShows the processes. States: R runs, S sleeps, D waits for a device, T stopped,\n"
              "Z has ended. Ticks are hundredths of a second of processor time.");
  FILE* tasks = fopen("/dev/tasks", "r");
  if (!tasks) return tool::complain("/dev/tasks");
  printf("%5s %6s %s %7s %s\n", "pid", "father", "state", "ticks", "name");
  for (char line[128]; fgets(line, sizeof line, tasks);) {
    const char* field[5] = {"", "", "", "", ""};
    int count = 0;
    for (char* word = strtok(line, " \n"); word && count < 5; word = strtok(nullptr, " \n"))
      field[count++] = word;
    printf("%5s %6s %-5s %7s %s\n", field[0], field[1], field[2], field[3], field[4]);
  }
  if (ferror(tasks)) return tool::complain("/dev/tasks");
  return tool::end(0);
}

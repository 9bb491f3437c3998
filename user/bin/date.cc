// date: the date and the time, in UTC.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tool.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "[+FORMAT]\nPrints date and time (UTC); %F is the date, %T the time, %s the seconds\n"
              "since 1970. Or: date -s @SECONDS sets the clock.");
  if (argc == 3 && strcmp(argv[1], "-s") == 0 && argv[2][0] == '@') {
    const auto when = static_cast<time_t>(tool::number(argv[2] + 1));
    return stime(&when) < 0 ? tool::complain(argv[2]) : 0;
  }
  if (argc > 2 || (argc == 2 && argv[1][0] != '+')) tool::misuse();
  const time_t now = time(nullptr);
  char text[256];
  const char* format = argc == 2 ? argv[1] + 1 : "%a %b %e %T UTC %Y";
  text[0] = '\0';
  strftime(text, sizeof text, format, gmtime(&now));
  puts(text);
  return tool::end(0);
}

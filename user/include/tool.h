// What the programs on the root disk have in common: --help, messages, a checked end.
//
//   int main(int argc, char** argv) {
//     tool::begin(argv, "FILE...\nWrites files to the terminal.");
//     ...
//     if (fd < 0) status = tool::complain(path);
//     return tool::end(status);
//   }
//
// A message reads `name: what: reason`. Everything written is checked: end() closes stdout, so a
// disk that went away or filled up is reported.
#pragma once

#include <stddef.h>
#include <sys/types.h>

namespace tool {

// Remembers the program's name; when the first argument is -h or --help, prints the usage and
// exits.
void begin(char** argv, const char* usage);
const char* name();

// `name: what: why errno says`. Returns 1, the exit status of failure.
int complain(const char* what);
int complain(const char* what, const char* reason);
[[noreturn]] void die(const char* what);
[[noreturn]] void die(const char* what, const char* reason);
// What is wrong with the command line, then the usage; exits 2.
[[noreturn]] void misuse(const char* complaint = nullptr);

// Flushes and closes stdout, complaining when that fails. Returns the status to exit with.
int end(int status);

// Writes all of it, however many calls that takes. False: errno says why not.
bool write_all(int fd, const void* from, size_t count);
// Copies until the end of `from`. Complains by itself, naming the side that failed.
bool copy(int from, const char* from_name, int to, const char* to_name);
// Prints a text file of the kernel (/dev/tasks …) as it stands.
int print_file(const char* path);

// A whole number, with the suffixes k and M; anything else is misuse.
unsigned long number(const char* text);
// The part behind the last slash.
const char* base_name(const char* path);
// directory + "/" + name in fresh memory.
char* join(const char* directory, const char* name);

}  // namespace tool

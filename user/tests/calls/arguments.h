// arguments: what the calls are given: names, descriptors, flags, sizes, pointers. Each comes with
// the text that stands for it in the log.
#pragma once

#include <fcntl.h>
#include <string.h>

#include "user/tests/calls/dice.h"
#include "user/tests/calls/log.h"

// Two limits that are not the same everywhere: calls are compared at limit - 1, limit, limit + 1.
inline uint32_t name_limit = 255;   // the longest name, without the NUL
inline uint32_t path_limit = 4096;  // the longest path, with the NUL

inline char* edge;  // the first byte of unmapped memory behind the heap
inline char* const KERNEL_ADDRESS = reinterpret_cast<char*>(0x8010'0000);
inline char memory[16384];

struct argument {
  const char* pointer;
  const char* shown;
};

// Names inside the directory of the test. Some exist, some become directories, some stay missing.
// No chain of them leaves the directory above it.
constexpr const char* NAMES[] = {
    "a",      "b",      "c",      "d",        "e",    "d/a",        "d/b",   "d/d",
    "d/d/a",  "d/d/d",  "e/a",    "e/b",      "e/d",  "e/d/a",      "e/d/d", ".",
    "..",     "../a",   "../d",   "d/.",      "d/..", "a/",         "d/",    "e/",
    "a/b",    "a/.",    "n/a",    "n",        "n/",   "./a",        "d//a",  "d/./a",
    "d/../b", "e/../a", "d/d/..", "d/d/../a", "",     "e/d/../../a"};

class path_maker {
 public:
  argument any() {
    if (!roll.chance(15)) return plain();
    switch (roll.below(4)) {
      case 0: return long_name();
      case 1: return long_path();
      case 2: return at_edge();
      default: return bad();
    }
  }
  argument plain() {
    const char* const name = roll.one_of(NAMES);
    snprintf(shown_, sizeof shown_, "\"%s\"", name);
    return {name, shown_};
  }
  // A name of the limit, one less, one more; plain or in a directory.
  argument long_name() {
    const int more = static_cast<int>(roll.below(3)) - 1;
    const bool below = roll.chance(30);
    char* const start = text_ + (below ? 2 : 0);
    memcpy(text_, "d/", 2);
    const size_t length = name_limit + static_cast<uint32_t>(more);
    memset(start, 'n', length);
    start[length] = 0;
    snprintf(shown_, sizeof shown_, "%sNAME(%+d)", below ? "d/" : "", more);
    return {text_, shown_};
  }
  // A path of the limit, one less, one more, with its NUL, to the file "a" or "b".
  argument long_path() {
    const int more = static_cast<int>(roll.below(3)) - 1;
    const uint32_t length = path_limit + static_cast<uint32_t>(more) - 1;
    for (uint32_t i = 0; i < length; ++i) text_[i] = i % 2 ? '/' : '.';
    if (length % 2 == 0) text_[length - 2] = '/';
    text_[length - 1] = roll.chance(50) ? 'a' : 'b';
    text_[length] = 0;
    snprintf(shown_, sizeof shown_, "PATH(%+d)%c", more, text_[length - 1]);
    return {text_, shown_};
  }
  // A name that ends with the last mapped byte, and one that goes on behind it.
  argument at_edge() {
    const bool ends = roll.chance(50);
    char* const start = edge - 4;
    memcpy(start, ends ? "././" : "d/..", 4);
    if (ends) memcpy(edge - 2, "a", 2);
    snprintf(shown_, sizeof shown_, ends ? "EDGE\"./a\"" : "EDGE\"d/..\"...");
    return {start, shown_};
  }
  argument bad() {
    if (roll.chance(50)) return {nullptr, "NULL"};
    return {KERNEL_ADDRESS, "KERNEL"};
  }

 private:
  char text_[4200];
  char shown_[40];
};

inline path_maker paths, more_paths;  // a call has up to two paths

// Small numbers mostly, for these are open. Never LOG.
inline int any_fd() {
  if (roll.chance(85)) return static_cast<int>(roll.below(8));
  constexpr int rest[] = {-1, 8, 9, 12, 29, 30, 32, 33, 255, 1000, 0x7FFF'FFFF, -0x7FFF'FFFF - 1};
  return roll.one_of(rest);
}

// Memory that a call fills: good, or one that it must refuse.
struct place {
  char* pointer;
  char shown[16];
};

inline place any_place(uint32_t size) {
  place p{memory, "MEMORY"};
  memset(memory, 0xA5, sizeof memory);
  if (!roll.chance(12)) return p;
  switch (roll.below(5)) {
    case 0: p = {nullptr, "NULL"}; break;
    case 1: p = {KERNEL_ADDRESS, "KERNEL"}; break;
    case 2: p = {const_cast<char*>("constant text, which no call may change"), "TEXT"}; break;
    case 3: p = {edge - size, "EDGE-size"}; break;
    default: p = {edge - size / 2, "EDGE-size/2"};
  }
  return p;
}

// `flags` as text: the access mode, then the names of the bits.
class flag_text {
 public:
  explicit flag_text(uint32_t flags) {
    constexpr const char* modes[] = {"RDONLY", "WRONLY", "RDWR", "NOACCESS"};
    strcpy(text_, modes[flags & abi::o_accmode]);
    add(flags, abi::o_creat, "|CREAT");
    add(flags, abi::o_excl, "|EXCL");
    add(flags, abi::o_noctty, "|NOCTTY");
    add(flags, abi::o_trunc, "|TRUNC");
    add(flags, abi::o_append, "|APPEND");
    add(flags, abi::o_nonblock, "|NONBLOCK");
    add(flags, abi::o_directory, "|DIRECTORY");
  }
  const char* text() const { return text_; }

 private:
  void add(uint32_t flags, uint32_t bit, const char* name) {
    if (flags & bit) strcat(text_, name);
  }
  char text_[80];
};

constexpr uint32_t MODES[] = {0644, 0600,  0755,  0777,  0444,  0111,   0,
                              0666, 01777, 04755, 02755, 07777, 0100644};

// One rule keeps the screen equal to the line: print the changed part, then move the cursor back.
#include "user/bin/sh/line_edit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <tool.h>
#include <unistd.h>
#include <vector.h>

namespace {

constexpr size_t MOST_HISTORY = 100;
constexpr int INPUT = 0, OUTPUT = 2;

constexpr char control(char letter) { return static_cast<char>(letter & 0x1f); }

// Keys that arrive as more than one character.
enum key : int {
  END_OF_INPUT = -1,
  UP = 256,
  DOWN,
  LEFT,
  RIGHT,
  HOME,
  END,
  DELETE,
  WORD_LEFT,
  WORD_RIGHT,
  UNKNOWN
};

vector<text> history;

// While it lives, every key is read at once and not echoed.
class raw_terminal {
 public:
  raw_terminal() {
    tcgetattr(INPUT, &before_);
    struct termios raw = before_;
    raw.c_lflag &= ~(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(INPUT, TCSANOW, &raw);
  }
  raw_terminal(const raw_terminal&) = delete;
  ~raw_terminal() { tcsetattr(INPUT, TCSANOW, &before_); }

 private:
  struct termios before_;
};

int read_character() {
  unsigned char c;
  for (;;) {
    const ssize_t count = read(INPUT, &c, 1);
    if (count == 1) return c;
    if (count == 0) return END_OF_INPUT;
    // A program in the background has set O_NONBLOCK for the open file that it shares.
    if (errno == EAGAIN && fcntl(INPUT, F_SETFL, 0) == 0) continue;
    if (errno != EINTR) return END_OF_INPUT;
  }
}

int key_of_number(int number) {
  switch (number) {
    case 1:
    case 7: return HOME;
    case 4:
    case 8: return END;
    case 3: return DELETE;
    default: return UNKNOWN;
  }
}

// ESC [ numbers letter, or ESC O letter.
int read_sequence() {
  int number = 0, last = 0;
  int c = read_character();
  for (; isdigit(c) || c == ';'; c = read_character()) {
    last = c == ';' ? 0 : last * 10 + c - '0';
    if (number == 0) number = last;
  }
  const bool with_control = last == 5;
  switch (c) {
    case 'A': return UP;
    case 'B': return DOWN;
    case 'C': return with_control ? WORD_RIGHT : RIGHT;
    case 'D': return with_control ? WORD_LEFT : LEFT;
    case 'H': return HOME;
    case 'F': return END;
    case '~': return key_of_number(number);
    default: return UNKNOWN;
  }
}

int read_key() {
  const int c = read_character();
  if (c != '\033') return c;
  switch (read_character()) {
    case '[':
    case 'O': return read_sequence();
    case 'b': return WORD_LEFT;
    case 'f': return WORD_RIGHT;
    default: return UNKNOWN;
  }
}

class editor {
 public:
  editor(text& line, const char* prompt) : line_(line), prompt_(prompt) {
    struct winsize size;
    if (ioctl(OUTPUT, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width_ = size.ws_col;
    history.push_back(text());
    shown_ = history.size() - 1;
    print(prompt_);
  }
  editor(const editor&) = delete;
  ~editor() {
    history.pop_back();
    send();
  }

  line_end edit();

 private:
  bool handle(int key);
  void insert(char c);
  void erase(size_t from, size_t to);
  void move_to(size_t place);
  size_t word_left() const;
  size_t word_right() const;
  void show_history(size_t which);
  void replace(std::string_view with);
  void clear_screen();

  // The screen. cursor_ is where the terminal's cursor is, counted in characters of the line.
  void print(std::string_view what) { pending_.add(what); }
  void print_from(size_t from, size_t blanks);
  void cursor_to(size_t place);
  size_t column(size_t place) const { return (strlen(prompt_) + place) % width_; }
  size_t row(size_t place) const { return (strlen(prompt_) + place) / width_; }
  void send() {
    tool::write_all(OUTPUT, pending_.c_str(), pending_.size());
    pending_.clear();
  }

  text& line_;
  const char* const prompt_;
  size_t width_ = 80;
  size_t place_ = 0;  // where the user is in the line
  size_t cursor_ = 0;
  size_t shown_;  // the line of the history that is edited
  text pending_;
};

// Prints the line from `from` to its end and so many blanks, and leaves the cursor behind them.
void editor::print_from(size_t from, size_t blanks) {
  cursor_to(from);
  print(line_.view().substr(from));
  for (size_t n = 0; n < blanks; ++n) print(" ");
  cursor_ = line_.size() + blanks;
  // In the last column a terminal waits; the next character makes it wrap.
  if (cursor_ > from && column(cursor_) == 0) print(" \r");
}

void editor::cursor_to(size_t place) {
  if (row(place) == row(cursor_)) {
    for (; cursor_ > place; --cursor_) print("\b");
  } else {
    for (size_t n = row(place); n < row(cursor_); ++n) print("\033[A");
    for (size_t n = row(cursor_); n < row(place); ++n) print("\n");
    print("\r");
    const size_t first = row(place) == 0 ? 0 : row(place) * width_ - strlen(prompt_);
    if (row(place) == 0) print(prompt_);
    cursor_ = first;
  }
  for (; cursor_ < place; ++cursor_) print(line_.view().substr(cursor_, 1));
}

void editor::insert(char c) {
  line_.insert(place_, c);
  print_from(place_, 0);
  cursor_to(++place_);
}

void editor::erase(size_t from, size_t to) {
  if (from >= to) return;
  cursor_to(from);
  line_.erase(from, to - from);
  print_from(from, to - from);
  cursor_to(place_ = from);
}

void editor::move_to(size_t place) { cursor_to(place_ = place); }

size_t editor::word_left() const {
  size_t at = place_;
  while (at > 0 && isspace(line_[at - 1])) --at;
  while (at > 0 && !isspace(line_[at - 1])) --at;
  return at;
}

size_t editor::word_right() const {
  size_t at = place_;
  while (at < line_.size() && isspace(line_[at])) ++at;
  while (at < line_.size() && !isspace(line_[at])) ++at;
  return at;
}

void editor::replace(std::string_view with) {
  const size_t before = line_.size();
  cursor_to(0);
  line_ = text(with);
  print_from(0, before > line_.size() ? before - line_.size() : 0);
  cursor_to(place_ = line_.size());
}

void editor::show_history(size_t which) {
  if (which >= history.size()) return;
  history[shown_] = text(line_.view());
  shown_ = which;
  replace(history[which].view());
}

void editor::clear_screen() {
  print("\033[H\033[2J");
  print(prompt_);
  cursor_ = 0;
  print_from(0, 0);
  cursor_to(place_);
}

// False: the line is finished.
bool editor::handle(int key) {
  const size_t size = line_.size();
  switch (key) {
    case '\r':
    case '\n': return false;
    case control('A'):
    case HOME: move_to(0); break;
    case control('E'):
    case END: move_to(size); break;
    case control('B'):
    case LEFT: move_to(place_ > 0 ? place_ - 1 : 0); break;
    case control('F'):
    case RIGHT: move_to(place_ < size ? place_ + 1 : size); break;
    case WORD_LEFT: move_to(word_left()); break;
    case WORD_RIGHT: move_to(word_right()); break;
    case control('P'):
    case UP: show_history(shown_ - 1); break;
    case control('N'):
    case DOWN: show_history(shown_ + 1); break;
    case control('H'):
    case 0x7f: erase(place_ > 0 ? place_ - 1 : 0, place_); break;
    case control('D'):
    case DELETE: erase(place_, place_ < size ? place_ + 1 : size); break;
    case control('W'): erase(word_left(), place_); break;
    case control('U'): erase(0, place_); break;
    case control('K'): erase(place_, size); break;
    case control('L'): clear_screen(); break;
    case '\t': insert(' '); break;
    default:
      if (key >= ' ' && key < 256) insert(static_cast<char>(key));
  }
  return true;
}

line_end editor::edit() {
  for (;;) {
    send();
    const int key = read_key();
    if (key == END_OF_INPUT || (key == control('D') && line_.empty())) {
      print("\n");
      return line_end::end_of_input;
    }
    if (key == control('C')) {
      cursor_to(line_.size());
      print("^C\n");
      return line_end::cancelled;
    }
    if (!handle(key)) {
      cursor_to(line_.size());
      print("\n");
      return line_end::entered;
    }
  }
}

void remember(const text& line) {
  if (line.view().find_first_not_of(" \t") == line.view().npos) return;
  if (!history.empty() && history.back() == line.view()) return;
  history.push_back(text(line.view()));
  if (history.size() > MOST_HISTORY) history.erase(0);
}

}  // namespace

line_end read_line(text& line, const char* prompt) {
  line.clear();
  const raw_terminal raw;
  const line_end end = editor(line, prompt).edit();
  if (end == line_end::entered) remember(line);
  return end;
}

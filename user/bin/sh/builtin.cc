// The commands that the shell itself executes, and their table.
#include "user/bin/sh/builtin.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <test_expression.h>
#include <tool.h>
#include <unistd.h>

#include "user/bin/sh/execute.h"
#include "user/bin/sh/jobs.h"
#include "user/bin/sh/variables.h"

namespace {

const char* argument(const vector<text>& arguments, size_t n, const char* otherwise = "") {
  return n < arguments.size() ? arguments[n].c_str() : otherwise;
}

int wrong_use(const vector<text>& arguments, const char* reason) {
  tool::complain(arguments[0].c_str(), reason);
  return 2;
}

int run_true(vector<text>&) { return 0; }
int run_false(vector<text>&) { return 1; }

int run_echo(vector<text>& arguments) {
  const bool newline = arguments.size() < 2 || !(arguments[1] == "-n");
  for (size_t n = newline ? 1 : 2; n < arguments.size(); ++n)
    printf("%s%s", n > (newline ? 1u : 2u) ? " " : "", arguments[n].c_str());
  if (newline) putchar('\n');
  return 0;
}

int run_test(vector<text>& arguments) {
  vector<const char*> words;
  for (text& word : arguments) words.push_back(word.c_str());
  return test_expression(static_cast<int>(words.size()), words.begin());
}

int run_cd(vector<text>& arguments) {
  const char* home = variables::get("HOME");
  const char* where = argument(arguments, 1, home ? home : "/");
  if (strcmp(where, "-") == 0) where = variables::get("OLDPWD") ? variables::get("OLDPWD") : ".";
  char before[256];
  const bool known = getcwd(before, sizeof before);
  if (chdir(where) < 0) return tool::complain(where);
  if (known) variables::set("OLDPWD", before);
  return 0;
}

int run_pwd(vector<text>&) {
  char here[256];
  if (!getcwd(here, sizeof here)) return tool::complain("pwd");
  puts(here);
  return 0;
}

int run_exit(vector<text>& arguments) {
  exit_shell(arguments.size() > 1 ? atoi(arguments[1].c_str()) & 0xff : shell.status);
}

int run_exec(vector<text>& arguments) {
  if (arguments.size() == 1) return 0;  // for its redirections, which stay
  arguments.erase(0);
  exit_shell(become_program(arguments));
}

int run_export(vector<text>& arguments) {
  if (arguments.size() == 1) variables::print(true);
  for (size_t n = 1; n < arguments.size(); ++n) {
    const std::string_view word = arguments[n];
    const size_t length = variables::assignment_length(word);
    if (length > 0) variables::set(word.substr(0, length), word.substr(length + 1));
    const std::string_view name = length > 0 ? word.substr(0, length) : word;
    if (!variables::is_name(name)) return wrong_use(arguments, "that is not a name");
    variables::mark_exported(name);
  }
  return 0;
}

int run_unset(vector<text>& arguments) {
  for (size_t n = 1; n < arguments.size(); ++n) variables::unset(arguments[n]);
  return 0;
}

int run_set(vector<text>& arguments) {
  if (arguments.size() == 1) variables::print(false);
  size_t n = 1;
  for (; n < arguments.size(); ++n) {
    const text& word = arguments[n];
    if (word == "--") break;
    if (word.size() < 2 || (word[0] != '-' && word[0] != '+')) break;
    for (char c : word.view().substr(1)) {
      if (c == 'e') shell.stop_at_error = word[0] == '-';
      if (c == 'x') shell.trace = word[0] == '-';
    }
  }
  if (n == arguments.size()) return 0;
  if (arguments[n] == "--") ++n;
  shell.arguments.clear();
  for (; n < arguments.size(); ++n) shell.arguments.push_back(std::move(arguments[n]));
  return 0;
}

int run_shift(vector<text>& arguments) {
  for (int count = atoi(argument(arguments, 1, "1")); count > 0; --count) {
    if (shell.arguments.empty()) return 1;
    shell.arguments.erase(0);
  }
  return 0;
}

// One line, byte by byte: the bytes behind it are left for the programs that read next.
bool read_input_line(text& line) {
  char c;
  for (;;) {
    const ssize_t count = read(0, &c, 1);
    if (count < 0 && errno == EINTR && !shell.interrupted) continue;
    if (count <= 0) return !line.empty();
    if (c == '\n') return true;
    line.add(c);
  }
}

int run_read(vector<text>& arguments) {
  size_t n = arguments.size() > 1 && arguments[1] == "-r" ? 2 : 1;
  text line;
  const bool good = read_input_line(line);
  std::string_view rest = line;
  for (; n < arguments.size(); ++n) {
    while (!rest.empty() && isspace(rest.front())) rest.remove_prefix(1);
    while (!rest.empty() && isspace(rest.back())) rest.remove_suffix(1);
    size_t length = 0;
    while (length < rest.size() && (n + 1 == arguments.size() || !isspace(rest[length]))) ++length;
    variables::set(arguments[n], rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return good ? 0 : 1;
}

int run_source(vector<text>& arguments) {
  if (arguments.size() < 2) return wrong_use(arguments, "needs a file");
  const int fd = open(arguments[1].c_str(), O_RDONLY);
  if (fd < 0) return tool::complain(arguments[1].c_str());
  const int high = fcntl(fd, F_DUPFD, 10);
  close(fd);
  fcntl(high, F_SETFD, FD_CLOEXEC);
  file_source from(high, false);
  return run_all(from);
}

int run_eval(vector<text>& arguments) {
  text line;
  for (size_t n = 1; n < arguments.size(); ++n) line.add(n > 1 ? " " : "").add(arguments[n].view());
  string_source from(line);
  return run_all(from);
}

int leave(vector<text>& arguments, bool and_continue) {
  if (!in_loop()) return wrong_use(arguments, "there is no loop");
  const int count = atoi(argument(arguments, 1, "1"));
  leave_loops(count > 0 ? count : 1, and_continue);
  return 0;
}
int run_break(vector<text>& arguments) { return leave(arguments, false); }
int run_continue(vector<text>& arguments) { return leave(arguments, true); }

int run_jobs(vector<text>&) { return jobs_command(); }
int run_fg(vector<text>& arguments) { return resume_command(argument(arguments, 1), true); }
int run_bg(vector<text>& arguments) { return resume_command(argument(arguments, 1), false); }

int run_wait(vector<text>& arguments) {
  int status = arguments.size() == 1 ? wait_command("") : 0;
  for (size_t n = 1; n < arguments.size(); ++n) status = wait_command(arguments[n]);
  return status;
}

int run_umask(vector<text>& arguments) {
  if (arguments.size() > 1) {
    umask(static_cast<mode_t>(strtol(arguments[1].c_str(), nullptr, 8)));
    return 0;
  }
  const mode_t mask = umask(0);
  umask(mask);
  printf("%04o\n", mask);
  return 0;
}

int run_help(vector<text>&);

struct entry {
  const char* name;
  builtin function;
};

constexpr entry BUILTINS[] = {
    {".", run_source},
    {":", run_true},
    {"[", run_test},
    {"bg", run_bg},
    {"break", run_break},
    {"cd", run_cd},
    {"continue", run_continue},
    {"echo", run_echo},
    {"eval", run_eval},
    {"exec", run_exec},
    {"exit", run_exit},
    {"export", run_export},
    {"false", run_false},
    {"fg", run_fg},
    {"help", run_help},
    {"jobs", run_jobs},
    {"pwd", run_pwd},
    {"read", run_read},
    {"set", run_set},
    {"shift", run_shift},
    {"source", run_source},
    {"test", run_test},
    {"true", run_true},
    {"umask", run_umask},
    {"unset", run_unset},
    {"wait", run_wait},
};

int run_help(vector<text>&) {
  printf("Built in:");
  for (const entry& e : BUILTINS) printf(" %s", e.name);
  printf(
      "\nAlso: if while until for case { } ( ) | && || ; & < > >> 2> 2>&1 << $NAME $(command)\n"
      "$((1 + 2)) * ? [a-z] 'text' \"text\". Programs are in /bin, /sbin, /book and /test; most\n"
      "explain themselves with --help.\n");
  return 0;
}

}  // namespace

builtin find_builtin(std::string_view name) {
  for (const entry& e : BUILTINS)
    if (name == e.name) return e.function;
  return nullptr;
}

// execve (the book's exec.c): the process stays, its program is another one.
//
// Everything that can fail happens before the old program is given up: the new address space is
// built beside the old one, its stack included, and only then put in its place. Nothing of the
// program but its headers is read; its pages come through the buffer cache when they are touched.
#include "kernel/exec.h"

#include <algorithm>

#include "hal/irq.h"
#include "kernel/elf.h"
#include "kernel/files.h"
#include "kernel/signal.h"
#include "kernel/sys.h"
#include "kernel/user_memory.h"
#include "lib/guard.h"

namespace {

// A script's first line: `#! interpreter [argument]`.
struct script_line {
  std::array<char, 128> text{};
  std::string_view interpreter, argument;  // empty: no script
};

constexpr std::string_view BLANKS = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(BLANKS);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(BLANKS) - first + 1);
}

// A line that is cut off by the end of `text` has an unknown rest and is no script.
result<void> read_script_line(m_inode& file, script_line& script) {
  const u32 length = TRY(read_contents(file, 0, std::as_writable_bytes(std::span(script.text))));
  const std::string_view begin(script.text.data(), length);
  if (!begin.starts_with("#!")) return {};
  const std::string_view line = trimmed(begin.substr(2, begin.find('\n') - 2));
  if (begin.find('\n') == begin.npos || line.empty()) return fail(error::enoexec);
  const size_t blank = std::min(line.find_first_of(BLANKS), line.size());
  script.interpreter = line.substr(0, blank);
  script.argument = trimmed(line.substr(blank));
  return {};
}

// The program that shall run: its inode, the name that `ps` shows, and whether it was found by a
// script, whose argv[0] has been replaced then.
struct program {
  program_ref inode;
  std::array<char, 16> name{};
  bool by_script = false;
};

// Only what is printable and no blank: a name stands in lines of /dev/tasks and of the console.
char shown(char c) { return c > ' ' && c < 0x7F ? c : '?'; }

void set_name(program& p, std::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  std::ranges::transform(name.substr(0, p.name.size() - 1), p.name.begin(), shown);
}

// Opens the program, or for a script its interpreter, whose first arguments are then added.
result<program> find_program(std::string_view path, argument_block& arguments) {
  program found{.inode = TRY(open_program(current->fs, path))};
  set_name(found, path);
  script_line script;
  TRY(read_script_line(*found.inode, script));
  found.by_script = !script.interpreter.empty();
  if (!found.by_script) return found;
  TRY(arguments.add_argument(script.interpreter));
  if (!script.argument.empty()) TRY(arguments.add_argument(script.argument));
  TRY(arguments.add_argument(path));
  found.inode = TRY(open_program(current->fs, script.interpreter));
  return found;
}

result<void> add_areas(address_space& space, const elf_image& image, u32 stack_size) {
  for (const vm_area& area : image.areas()) TRY(space.add_area(area));
  TRY(space.set_break(image.end));
  const u32 stack_start = page_down(USER_STACK_TOP - stack_size);
  return space.add_area(
      {.start = stack_start, .end = USER_STACK_TOP, .writable = true, .grows_down = true});
}

void use_space(address_space* space) {
  const irq_guard masked;
  current->space = space;
  if (space)
    space->activate();
  else
    address_space::activate_kernel();
}

// Makes the new program's address space and builds its stack. On success the process has this space
// and the old one is gone; on failure the process keeps the old one. Returns the stack pointer.
result<u32> build_space(const elf_image& image, const argument_block& arguments) {
  address_space* const old = current->space;
  address_space* const space = TRY(address_space::create());
  at_scope_end undo([&] {
    use_space(old);
    address_space::destroy(space);
  });
  TRY(add_areas(*space, image, arguments.stack_size()));
  use_space(space);
  const u32 stack = TRY(arguments.build(USER_STACK_TOP));
  undo.dismiss();
  if (old) address_space::destroy(old);
  return stack;
}

// When build_space has succeeded there is no way back to the old program.
result<program_start> load(program wanted, const argument_block& arguments) {
  const elf_image image = TRY(read_elf(*wanted.inode));
  const u32 stack = TRY(build_space(image, arguments));
  current->executable = std::move(wanted.inode);
  current->comm = wanted.name;
  current->executed = true;
  reset_handlers(*current);
  close_files(true);
  return program_start{image.entry, stack};
}

}  // namespace

result<program_start> do_execve(std::string_view path, user_ptr argv, user_ptr envp) {
  argument_block arguments;
  program wanted = TRY(find_program(path, arguments));
  TRY(arguments.add_arguments(argv, wanted.by_script ? 1 : 0));
  TRY(arguments.add_environments(envp));
  return load(std::move(wanted), arguments);
}

result<program_start> exec_init(std::string_view path) {
  argument_block arguments;
  program wanted{.inode = TRY(open_program(current->fs, path))};
  set_name(wanted, path);
  TRY(arguments.add_argument(path));
  for (const std::string_view text : {"PATH=/bin:/sbin", "HOME=/", "TERM=linux"})
    TRY(arguments.add_environment(text));
  return load(std::move(wanted), arguments);
}

result<void> sys_execve(user_ptr path, user_ptr argv, user_ptr envp) {
  const result<program_start> begin = do_execve(TRY(user_path(path)), argv, envp);
  if (!begin) return fail(begin.error());
  begin_program(*begin);
  return {};
}

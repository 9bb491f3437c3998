// Reading a program's headers and pages: see elf.h.
#include "kernel/elf.h"

#include <algorithm>

#include "fs/inode.h"
#include "hal/memory.h"
#include "kernel/elf_format.h"
#include "kernel/read_object.h"

namespace {

constexpr std::array<u8, 7> MAGIC = {0x7F, 'E', 'L', 'F', 1 /* 32 bit */, 1 /* little endian */, 1};
constexpr u16 ET_EXEC = 2, EM_386 = 3;
constexpr u32 PT_LOAD = 1, PT_INTERP = 3, PF_W = 2;
constexpr u16 MAX_HEADERS = 16;

// A program lies behind the first page, so that a null pointer points to no memory, and in front of
// the stack.
constexpr u64 LOWEST = PAGE_SIZE, HIGHEST = USER_STACK_TOP - USER_STACK_MAX;

bool is_i386_program(const elf_header& h) {
  return std::equal(MAGIC.begin(), MAGIC.end(), h.e_ident.begin()) && h.e_type == ET_EXEC &&
         h.e_machine == EM_386 && h.e_version == 1 && h.e_phentsize == sizeof(program_header) &&
         h.e_phnum >= 1 && h.e_phnum <= MAX_HEADERS;
}

bool is_sane(const program_header& h) {
  const u64 end = u64{h.p_vaddr} + h.p_memsz, file_end = u64{h.p_offset} + h.p_filesz;
  return h.p_filesz <= h.p_memsz && h.p_vaddr >= LOWEST && end <= HIGHEST && file_end <= INT32_MAX;
}

// A page of the program, at its first touch (the book's do_no_page calls it).
result<void> fill_page(const vm_area& area, u32 address, std::span<byte> page) {
  const u32 file_end = area.file_start + area.file_size;
  const u32 from = std::max(address, area.file_start);
  const u32 to = std::min(address + static_cast<u32>(page.size()), file_end);
  if (from >= to) return {};
  m_inode& program = *static_cast<m_inode*>(area.backing.get());
  const u32 offset = area.file_offset + (from - area.file_start);
  const u32 got = TRY(read_fully(program, offset, page.subspan(from - address, to - from)));
  if (got != to - from) return fail(error::eio);  // the file is shorter than its headers say
  return {};
}

constexpr backing_kind FILE_OF_PROGRAM = {
    .hold = [](void* file) { (void)idup(*static_cast<m_inode*>(file)).release(); },
    .drop = [](void* file) { iput(static_cast<m_inode*>(file)); }};

vm_area area_of(const program_header& h, m_inode& program) {
  return {.start = page_down(h.p_vaddr),
          .end = page_up(h.p_vaddr + h.p_memsz),
          .writable = (h.p_flags & PF_W) != 0,
          .grows_down = false,
          .fill = fill_page,
          .backing = area_backing(idup(program).release(), FILE_OF_PROGRAM),
          .file_start = h.p_vaddr,
          .file_offset = h.p_offset,
          .file_size = h.p_filesz};
}

result<void> add_segment(elf_image& image, const program_header& h, m_inode& program) {
  if (h.p_type == PT_INTERP) return fail(error::enoexec);  // a dynamic program
  if (h.p_type != PT_LOAD || h.p_memsz == 0) return {};
  if (!is_sane(h) || image.nr_segments == MAX_SEGMENTS) return fail(error::enoexec);
  const vm_area area = area_of(h, program);
  for (const vm_area& other : image.areas())
    if (area.start < other.end && other.start < area.end) return fail(error::enoexec);
  image.segments[image.nr_segments++] = area;
  image.end = std::max(image.end, area.end);
  return {};
}

bool begins_inside(const elf_image& image) {
  for (const vm_area& area : image.areas())
    if (image.entry >= area.start && image.entry < area.end) return true;
  return false;
}

}  // namespace

result<elf_image> read_elf(m_inode& program) {
  const elf_header header = TRY(read_object<elf_header>(program, 0));
  if (!is_i386_program(header)) return fail(error::enoexec);
  elf_image image{.entry = header.e_entry};
  for (u32 i = 0; i < header.e_phnum; ++i) {
    const u32 offset = header.e_phoff + i * u32{sizeof(program_header)};
    const program_header h = TRY(read_object<program_header>(program, offset));
    TRY(add_segment(image, h, program));
  }
  if (!begins_inside(image)) return fail(error::enoexec);
  return image;
}

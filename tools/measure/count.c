/*
 * A plugin for QEMU's TCG (plugin API 1, QEMU 4.2 to 8.x) that counts how often every translated
 * block of guest code is executed. Its table stands in a shared file, so that tools/measure can read
 * it at any moment: how many instructions a phase took, and in which functions.
 *
 *   -plugin count.so,table=FILE     FILE exists and has TABLE_ENTRIES * sizeof(struct block) bytes
 *
 * What it needs of QEMU is declared here: no header of QEMU's is needed. A block that is left early
 * (a page fault) counts in full; an iteration of a `rep` instruction counts as one instruction.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation,
                                                     void *counter, uint64_t amount);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = 1;

enum { TABLE_ENTRIES = 1 << 16, INLINE_ADD_U64 = 0 };

struct block {
  uint64_t address;
  uint64_t instructions;
  uint64_t executions;
};
static struct block *table;

/* The entry of the block at an address; the last entry is everybody's when the table is full. */
static struct block *entry_of(uint64_t address, uint64_t instructions) {
  uint64_t start = (address * 2654435761u ^ instructions * 40503u) % TABLE_ENTRIES;
  for (uint64_t step = 0; step < TABLE_ENTRIES; ++step) {
    struct block *b = &table[(start + step) % TABLE_ENTRIES];
    if (b->instructions == 0) *b = (struct block){address, instructions, 0};
    if (b->address == address && b->instructions == instructions) return b;
  }
  return &table[TABLE_ENTRIES - 1];
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  struct block *b = entry_of(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));
  qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->executions, 1);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  int file = -1;
  if (argc == 1 && strncmp(argv[0], "table=", 6) == 0) file = open(argv[0] + 6, O_RDWR);
  if (file < 0) {
    fprintf(stderr, "count: needs table=FILE\n");
    return -1;
  }
  table = mmap(NULL, TABLE_ENTRIES * sizeof(struct block), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (table == MAP_FAILED) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}

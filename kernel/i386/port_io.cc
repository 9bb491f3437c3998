#include "hal/port_io.h"

u8 in8(io_port port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

u16 in16(io_port port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

u32 in32(io_port port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

void out8(io_port port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
void out16(io_port port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
void out32(io_port port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

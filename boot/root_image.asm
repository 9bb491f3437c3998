; The image of the root disk, part of the kernel's file; the ramdisk driver works on it in place.
global root_image_start, root_image_end

section .root_image progbits alloc write noexec align=4096
root_image_start:
  incbin "root.img"
root_image_end:

// Reading the parts of a program's file.
#pragma once

#include <span>

#include "fs/fs.h"

// Reads to the end of `bytes` or of the file; returns how many. A read that a signal or an error
// ends in the middle is continued: the next one tells which it was. Sleeps. Errors: eintr, eio.
inline result<u32> read_fully(m_inode& file, u32 offset, std::span<byte> bytes) {
  u32 done = 0;
  while (done < bytes.size()) {
    const u32 got = TRY(read_contents(file, offset + done, bytes.subspan(done)));
    if (got == 0) break;
    done += got;
  }
  return done;
}

// The T that stands at `offset`. Sleeps. Errors: enoexec when the file ends before its end; eintr,
// eio.
template <class T>
result<T> read_object(m_inode& file, u32 offset) {
  T object{};
  const std::span<byte> bytes = std::as_writable_bytes(std::span<T, 1>(&object, 1));
  if (TRY(read_fully(file, offset, bytes)) != bytes.size()) return fail(error::enoexec);
  return object;
}

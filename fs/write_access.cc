// Counting the writers of a file, or the processes that run it: see write_access.h and fs.h.
#include "fs/write_access.h"

#include <utility>

#include "hal/panic.h"

result<void> get_write_access(m_inode& inode) {
  if (!inode.is_regular()) return {};
  if (inode.i_writecount < 0) return fail(error::etxtbsy);
  ++inode.i_writecount;
  return {};
}

void put_write_access(m_inode& inode) {
  if (!inode.is_regular()) return;
  kassert(inode.i_writecount > 0);
  --inode.i_writecount;
}

result<program_ref> program_ref::of(inode_ref inode) {
  if (inode->i_writecount > 0) return fail(error::etxtbsy);
  --inode->i_writecount;
  return program_ref(std::move(inode));
}

program_ref program_ref::copy() const {
  if (!inode_) return {};
  --inode_->i_writecount;
  return program_ref(inode_.copy());
}

// The earlier program is given up at the end, for that may sleep.
program_ref& program_ref::operator=(program_ref&& other) noexcept {
  const program_ref earlier(std::exchange(inode_, std::move(other.inode_)));
  return *this;
}

program_ref::~program_ref() {
  if (inode_) ++inode_->i_writecount;
}

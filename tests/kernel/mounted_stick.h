// A stick of the simulated PC with a file system, mounted at /mnt.
#pragma once

#include <memory>
#include <vector>

#include "tests/pc/stick.h"

namespace pc {

// All calls come from a process of the machine. A test whose machine is audited calls `remove` at
// its end; otherwise the kernel's stick is left to the machine that is gone.
class mounted_stick {
 public:
  explicit mounted_stick(u32 blocks = 300, u32 inodes = 64);
  ~mounted_stick();
  mounted_stick(const mounted_stick&) = delete;
  mounted_stick& operator=(const mounted_stick&) = delete;

  void mount();  // plugs it in, the first time
  void umount();
  void remove();  // unmounts, pulls, and takes the special file and the directory away
  void plug();
  void pull() { device().pull(); }
  stick& device() { return *plugged_.back(); }
  const std::vector<byte>& content() const { return content_; }
  // Other blocks take the place of those in the cache that are not in use.
  void push_out_of_cache();

 private:
  std::vector<byte> content_;
  std::vector<std::unique_ptr<stick>> plugged_;  // once for each plug; the last one counts
};

}  // namespace pc

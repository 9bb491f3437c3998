#include "tests/fs/pull_judge.h"

#include <sstream>

namespace sim {

namespace {

// Empty when all is as it was promised.
std::string compare(const minix_image& image, const std::string& path, const image_file& promised) {
  if (!image.has(path)) return " is lost";
  const image_file& found = image.files().at(path);
  if (found.directory != promised.directory) return " is of another kind";
  if (found.content.size() != promised.content.size()) return " has another length";
  return found.content == promised.content ? "" : " holds other bytes";
}

}  // namespace

complaint_list judge_medium(const medium& stick, const std::map<std::string, image_file>& promised,
                            bool ask_fsck) {
  complaint_list complaints;
  const minix_image image(stick.durable());
  for (const std::string& problem : image.problems()) complaints.push_back("structure: " + problem);
  for (const auto& [path, file] : promised)
    if (const std::string what = compare(image, path, file); !what.empty())
      complaints.push_back(path + what);
  for (const auto& [path, file] : image.files())
    if (!promised.contains(path)) complaints.push_back(path + " should not be there");
  if (ask_fsck)
    if (const std::string words = fsck_minix(stick.durable()); !words.empty())
      complaints.push_back("fsck.minix: " + words);
  return complaints;
}

complaint_list judge_state(const medium& stick) {
  if (minix_image(stick.durable()).state() == 1) return {};
  return {"the superblock does not say VALID"};
}

complaint_list judge_attach(const medium& stick, attach_epoch epoch, u32& commands_verified) {
  std::set<u32> seen;
  bool writing = false;
  for (const command_record& command : stick.log()) {
    if (command.epoch != epoch) continue;
    if (command.cmd == block_command::flush) break;
    writing |= command.cmd == block_command::write;
    for (u32 i = 0; i < command.sectors; ++i) {
      const u32 sector = command.first.value() + i;
      if (command.cmd == block_command::write && !seen.contains(sector))
        return {"sector " + std::to_string(sector) + " was written unverified"};
      if (!writing) seen.insert(sector);
    }
    commands_verified += command.cmd == block_command::write;
  }
  return {};
}

std::string log_text(const medium& stick) {
  std::ostringstream text;
  const auto& log = stick.log();
  for (size_t i = log.size() > 40 ? log.size() - 40 : 0; i < log.size(); ++i) {
    constexpr const char* names[] = {"read", "write", "flush"};
    text << "  attach " << log[i].epoch.value() << " " << names[static_cast<u8>(log[i].cmd)] << " "
         << log[i].first.value() << " +" << log[i].sectors << " from " << log[i].begun.ns / 1000
         << " to " << log[i].ended.ns / 1000 << " us" << (log[i].succeeded ? "" : ", failed")
         << "\n";
  }
  return text.str();
}

}  // namespace sim

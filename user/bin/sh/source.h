// Where the shell's commands come from, character by character: a terminal, a file, a string.
#pragma once

#include <text.h>

class source {
 public:
  static constexpr int END = -1;

  source() = default;
  source(const source&) = delete;
  virtual ~source() = default;

  // The next character, or END.
  virtual int next() = 0;
  // A command goes on in the next line: a terminal prompts differently.
  virtual void continues(bool) {}
  // The line was cancelled (^C): the part of the command that was read so far does not count.
  virtual bool cancelled() { return false; }
};

class string_source : public source {
 public:
  explicit string_source(std::string_view from) : text_(from) {}
  int next() override {
    return at_ < text_.size() ? static_cast<unsigned char>(text_[at_++]) : END;
  }

 private:
  text text_;
  size_t at_ = 0;
};

// `shared`: the programs that the shell runs read the same descriptor, so it may not read ahead.
class file_source : public source {
 public:
  file_source(int fd, bool shared) : fd_(fd), shared_(shared) {}
  ~file_source() override;
  int next() override;

 private:
  int fd_;
  bool shared_;
  size_t at_ = 0, filled_ = 0;
  char buffer_[512];
};

class terminal_source : public source {
 public:
  int next() override;
  void continues(bool yes) override { continues_ = yes; }
  bool cancelled() override { return cancelled_; }

 private:
  text line_;
  size_t at_ = 0;
  bool continues_ = false, cancelled_ = false;
};

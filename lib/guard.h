// at_scope_end: runs a closure when its scope ends, unless dismissed.
#pragma once

#include <utility>

template <class Action>
class [[nodiscard]] at_scope_end {
 public:
  explicit at_scope_end(Action action) : action_(std::move(action)) {}
  at_scope_end(const at_scope_end&) = delete;
  at_scope_end& operator=(const at_scope_end&) = delete;
  ~at_scope_end() {
    if (armed_) action_();
  }
  void dismiss() { armed_ = false; }

 private:
  Action action_;
  bool armed_ = true;
};

// area_backing: one counted reference to what the pages of an area come from, a file in most cases.
// mm/ does not know what it is: it says only how references are taken and given up.
#pragma once

#include <utility>

struct backing_kind {
  void (*hold)(void* object);  // one more reference; never sleeps
  void (*drop)(void* object);  // one less; the last one may sleep
};

class area_backing {
 public:
  area_backing() = default;
  // Takes over one reference.
  area_backing(void* object, const backing_kind& kind) : object_(object), kind_(&kind) {}
  area_backing(const area_backing& other) : object_(other.object_), kind_(other.kind_) {
    if (object_) kind_->hold(object_);
  }
  area_backing(area_backing&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)), kind_(other.kind_) {}
  area_backing& operator=(area_backing other) noexcept {
    std::swap(object_, other.object_);
    std::swap(kind_, other.kind_);
    return *this;
  }
  ~area_backing() {
    if (object_) kind_->drop(object_);
  }

  void* get() const { return object_; }

 private:
  void* object_ = nullptr;
  const backing_kind* kind_ = nullptr;
};

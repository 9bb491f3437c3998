// intrusive_list: a doubly linked list whose links stand in the elements, so that nothing is
// allocated.
//
//   struct waiter { list_link<waiter> link; };
//   intrusive_list<waiter, &waiter::link> waiters;
//
// - An element is on at most one list per link; linked() tells. Putting it on twice is a bug.
// - Taking elements off while walking: use the `next` of the element before it is removed, or
//   pop_front.
// - The list does not own its elements and forgets them when it dies.
#pragma once

#include <array>
#include <utility>

#include "lib/types.h"

template <class T>
struct list_link {
  T* next = nullptr;
  T* prev = nullptr;
  const void* owner = nullptr;  // the list it is on, null when on none
  bool linked() const { return owner != nullptr; }
};

template <class T, list_link<T> T::*Link>
class intrusive_list {
 public:
  class iterator {
   public:
    constexpr explicit iterator(T* at) : at_(at) {}
    T& operator*() const { return *at_; }
    T* operator->() const { return at_; }
    iterator& operator++() {
      at_ = (at_->*Link).next;
      return *this;
    }
    bool operator==(const iterator&) const = default;

   private:
    T* at_;
  };

  constexpr intrusive_list() = default;
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;

  bool empty() const { return front_ == nullptr; }
  u32 size() const { return size_; }
  T* front() const { return front_; }
  T* back() const { return back_; }
  static T* next(const T& element) { return (element.*Link).next; }
  static T* prev(const T& element) { return (element.*Link).prev; }
  bool contains(const T& element) const { return (element.*Link).owner == this; }
  iterator begin() const { return iterator(front_); }
  iterator end() const { return iterator(nullptr); }

  void push_back(T& element) { insert_before(nullptr, element); }
  void push_front(T& element) { insert_before(front_, element); }

  // Puts element before `position`, at the end when that is null.
  void insert_before(T* position, T& element) {
    list_link<T>& link = element.*Link;
    link.owner = this;
    link.next = position;
    link.prev = position ? (position->*Link).prev : back_;
    (link.prev ? (link.prev->*Link).next : front_) = &element;
    (position ? (position->*Link).prev : back_) = &element;
    ++size_;
  }

  void remove(T& element) {
    list_link<T>& link = element.*Link;
    (link.prev ? (link.prev->*Link).next : front_) = link.next;
    (link.next ? (link.next->*Link).prev : back_) = link.prev;
    link = {};
    --size_;
  }

  // Puts `element`, which is on no list, in the place of `former`, which is on this one.
  void replace(T& former, T& element) {
    list_link<T>& link = element.*Link;
    link = std::exchange(former.*Link, {});
    (link.prev ? (link.prev->*Link).next : front_) = &element;
    (link.next ? (link.next->*Link).prev : back_) = &element;
  }

  T* pop_front() {
    T* first = front_;
    if (first) remove(*first);
    return first;
  }

  // Sorts by before(a, b); equal elements keep their order. It merges the runs that are in order
  // already, so a list that is nearly sorted costs one pass. Most lists are short: a sync finds
  // nothing dirty.
  template <class Before>
  void sort(Before before) {
    if (size_ < 2) return;
    std::array<T*, 32> merged{};  // [i]: 2^i merged runs; higher i: earlier runs
    for (T* rest = front_; rest;) {
      T* run = cut_run(rest, before);
      u32 i = 0;
      for (; merged[i]; ++i) run = merge(std::exchange(merged[i], nullptr), run, before);
      merged[i] = run;
    }
    T* all = nullptr;
    for (T* run : merged) all = merge(run, all, before);
    relink(all);
  }

 private:
  // During a sort, chains are linked by `next` alone.
  static T*& next_of(T& element) { return (element.*Link).next; }

  // Takes off `rest` the run of elements in order that it begins with.
  template <class Before>
  static T* cut_run(T*& rest, Before before) {
    T* first = rest;
    T* last = first;
    while (next_of(*last) && !before(*next_of(*last), *last)) last = next_of(*last);
    rest = std::exchange(next_of(*last), nullptr);
    return first;
  }

  template <class Before>
  static T* merge(T* earlier, T* later, Before before) {
    T* first = nullptr;
    T** end = &first;
    while (earlier && later) {
      T*& least = before(*later, *earlier) ? later : earlier;
      *end = least;
      end = &next_of(*least);
      least = *end;
    }
    *end = earlier ? earlier : later;
    return first;
  }

  void relink(T* first) {
    front_ = first;
    back_ = nullptr;
    for (T* at = first; at; at = next_of(*at)) (at->*Link).prev = std::exchange(back_, at);
  }

  T* front_ = nullptr;
  T* back_ = nullptr;
  u32 size_ = 0;
};

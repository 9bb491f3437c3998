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

  T* pop_front() {
    T* first = front_;
    if (first) remove(*first);
    return first;
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
  u32 size_ = 0;
};

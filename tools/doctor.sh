#!/bin/sh
# What this machine lacks for work on Replug, and how to get it.
#
#   doctor.sh [--quiet | --install] build|demo|test|debug|bench|fuzz …
#
# It only reports; with --quiet only what is missing. With --install, what is missing is installed by
# apt-get where that exists (with sudo when not root); nothing is done when nothing is missing. A
# shell script, since Python may be among the missing. CROSS_COMPILE= is another toolchain's prefix.

CROSS_COMPILE=${CROSS_COMPILE-i686-linux-gnu-}
PATH=$PATH:/usr/sbin:/sbin
install=no
quiet=no
topics=
missing=   # lines "what|package|why"

for argument in "$@"; do
  case $argument in
    --install) install=yes quiet=yes ;;
    --quiet) quiet=yes ;;
    *) topics="$topics $argument" ;;
  esac
done
for topic in ${topics:=build demo test debug bench fuzz}; do
  case $topic in
    build | demo | test | debug | bench | fuzz) ;;
    *) echo "doctor: unknown topic $topic" >&2; exit 2 ;;
  esac
done

lacks() {  # what package why
  missing="$missing$1|$2|$3
"
}

need_command() {  # command package why
  command -v "$1" >/dev/null 2>&1 || lacks "$1" "$2" "$3"
}

# The number at the start of a version, as one comparable integer: 12.2 → 1202.
version_number() {
  echo "$1" | sed -n 's/^[^0-9]*\([0-9][0-9]*\)\.\([0-9][0-9]*\).*/\1 \2/p' | {
    read -r major minor || exit
    echo $((major * 100 + minor))
  }
}

need_version() {  # command package why least version-text
  if ! command -v "$1" >/dev/null 2>&1; then
    lacks "$1" "$2" "$3"
  elif [ "$(version_number "$5")" -lt "$(version_number "$4")" ] 2>/dev/null; then
    lacks "$1 $4 or newer (here: $5)" "$2" "$3"
  fi
}

compiles() {  # compiler options…: can it make C++23 objects?
  compiler=$1
  shift
  echo '#include <expected>
#include <span>
static_assert(sizeof(std::expected<int, int>) && __cplusplus > 202002L);' |
    "$compiler" -std=c++23 "$@" -x c++ -c - -o /dev/null >/dev/null 2>&1
}

runs_i386() {  # whether Linux runs a program of i386 that only ends (its ELF header, and exit)
  probe=$(mktemp) || return 1
  printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0\124\200\004\010\064\0\0\0\0\0\0\0\0\0\0\0\064\0\040\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\200\004\010\0\200\004\010\135\0\0\0\135\0\0\0\5\0\0\0\0\020\0\0\061\300\100\061\333\315\200\0\0' >"$probe"
  chmod +x "$probe"
  "$probe" 2>/dev/null
  ran=$?
  rm -f "$probe"
  return $ran
}

kernel_compiler_package() {
  case $CROSS_COMPILE in
    i686-linux-gnu-) echo g++-i686-linux-gnu ;;
    '') echo g++-multilib ;;
    *) echo '' ;;
  esac
}

needs_of_build() {
  need_command make make "builds"
  need_version /usr/bin/python3 python3 "image tools" 3.9 \
    "$(/usr/bin/python3 --version 2>/dev/null)"
  need_command nasm nasm "assembles boot/"
  compiles "${CROSS_COMPILE}g++" -m32 -ffreestanding ||
    lacks "${CROSS_COMPILE}g++ 12 or newer, for C++23 and i386" "$(kernel_compiler_package)" \
      "compiles the kernel"
  need_command mkfs.minix "$minix_package" "makes disks"
}

needs_of_demo() {
  need_version qemu-system-i386 qemu-system-x86 "runs the kernel" 6.0 \
    "$(qemu-system-i386 --version 2>/dev/null | head -n 1)"
  need_command mkfs.minix "$minix_package" "makes disks"
  need_command fsck.minix "$minix_package" "judges disks"
}

needs_of_test() {
  needs_of_demo
  compiles g++ || lacks "g++ 12 or newer" g++ "compiles the host tests"
  echo '#include <gtest/gtest.h>' | g++ -x c++ -fsyntax-only - 2>/dev/null ||
    lacks "GoogleTest" libgtest-dev "host tests"
  test -e /usr/src/googletest/googletest/src/gtest-all.cc ||
    lacks "GoogleTest's sources" googletest "tests of kernel/ and mm/"
  need_command clang-format clang-format "formatting"
  need_command gdb gdb "tests of make debug"
  runs_i386 || need_command qemu-i386 qemu-user "tests of kernel/ and mm/: this Linux runs no i386 program"
  /usr/bin/python3 -c 'import pytest' 2>/dev/null || lacks pytest python3-pytest "QEMU tests"
  /usr/bin/python3 -c 'import pexpect' 2>/dev/null || lacks pexpect python3-pexpect "tests of the shell"
  /usr/bin/python3 -c 'import xdist' 2>/dev/null ||
    lacks "pytest's xdist" python3-pytest-xdist "several QEMU tests at a time"
}

needs_of_debug() {
  needs_of_demo
  need_command gdb gdb "debugger"
}

needs_of_bench() {
  needs_of_demo
  need_command gcc gcc "the counter of instructions"
  /usr/bin/python3 -c 'import matplotlib' 2>/dev/null ||
    lacks matplotlib python3-matplotlib "the picture of a bench"
}

needs_of_fuzz() {
  need_command clang++-19 clang-19 "builds the fuzzers"
  test -e /usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.fuzzer-x86_64.a ||
    lacks "libFuzzer of clang 19" libclang-rt-19-dev "runs the fuzzers"
}

# Newer Debians have these two in a package of their own.
minix_package=util-linux
if command -v apt-cache >/dev/null 2>&1 && ! command -v mkfs.minix >/dev/null 2>&1 &&
  apt-cache show util-linux-extra >/dev/null 2>&1; then
  minix_package=util-linux-extra
fi

examine() {
  missing=
  for topic in $topics; do
    "needs_of_$topic"
  done
  missing=$(printf %s "$missing" | sort -u)
}
examine

packages() {
  printf '%s\n' "$missing" | cut -d '|' -f 2 | sort -u | grep . | tr '\n' ' '
}

report() {
  echo "Missing on this machine:"
  printf '%s\n' "$missing" | while IFS='|' read -r what package why; do
    printf '  %-44s %s%s\n' "$what" "$why" "${package:+ (Debian: $package)}"
  done
}

if [ -z "$missing" ]; then
  [ $quiet = yes ] || echo "Nothing is missing for:$topics."
  exit 0
fi
report
if [ $install = no ] || ! command -v apt-get >/dev/null 2>&1; then
  if command -v apt-get >/dev/null 2>&1; then
    echo "To install it:  sudo apt-get install --no-install-recommends $(packages)"
  else
    echo "Install these with your system's package manager, then try again."
  fi
  exit 1
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
  as_root=sudo
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Not root, and no sudo. As root:  apt-get install --no-install-recommends $(packages)"
    exit 1
  fi
fi
echo "Installing: $(packages)"
log=$(mktemp)
# The lists may be older than the packages: a second try after an update.
# shellcheck disable=SC2046  # one word per package
if ! $as_root env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y --no-install-recommends $(packages) >"$log" 2>&1; then
  if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $(packages); } >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    echo "The installation failed."
    exit 1
  fi
fi
rm -f "$log"
examine
[ -z "$missing" ] || { report; exit 1; }

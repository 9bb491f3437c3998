// GoogleTest, read before everything else in every test (-include, tests/host.mk): it drags in
// <cxxabi.h>, whose global alias `abi` would take the name of our namespace (lib/abi.h). It gets
// another one here.
#pragma once

#define abi cxx_abi
#include <gtest/gtest.h>
#undef abi

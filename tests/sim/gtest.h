// GoogleTest, included first in every test (-include, tests/host.mk). It includes <cxxabi.h>, whose
// global alias `abi` has the name of our namespace (lib/abi.h). The alias is renamed here.
#pragma once

#define abi cxx_abi
#include <gtest/gtest.h>
#undef abi

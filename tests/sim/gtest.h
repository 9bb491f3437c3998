// GoogleTest, included first in every test (-include, tests/host.mk). It includes <cxxabi.h>, whose
// global alias `abi` has the name of our namespace (lib/abi.h). The alias is renamed here. PATH_MAX
// is a macro of the host, and a constant of ours (kernel/user_memory.h).
#pragma once

#define abi cxx_abi
#include <gtest/gtest.h>
#undef abi
#undef PATH_MAX

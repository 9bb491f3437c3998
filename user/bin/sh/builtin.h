// The commands that the shell itself executes.
#pragma once

#include <text.h>
#include <vector.h>

using builtin = int (*)(vector<text>& arguments);

// Null: not one of them.
builtin find_builtin(std::string_view name);

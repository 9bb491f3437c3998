// The conditions of `test` and `[`, which the shell has built in.
#pragma once

// arguments[0] is "test" or "["; with "[" the last must be "]". Returns 0 true, 1 false, 2 for an
// error, which has been printed.
int test_expression(int count, const char* const* arguments);

// test: conditions on files, texts and numbers; the shell has it built in, also as [.
#include <test_expression.h>

int main(int argc, char** argv) { return test_expression(argc, argv); }

// One line typed at a terminal, with editing and history.
//
//   arrows, ^B ^F ^P ^N   move, older and newer lines     ^A ^E, Home End   begin, end
//   Alt-B Alt-F, ^arrows  by words                         ^H ^D, Delete     delete
//   ^W ^U ^K              delete a word, to the begin, to the end
//   ^L                    clear the screen                 ^C                forget the line
//   ^D on an empty line   the end
#pragma once

#include <text.h>

enum class line_end { entered, cancelled, end_of_input };

// The terminal is raw only meanwhile. Works on any terminal that knows \b and \r; lines longer than
// its width also need ESC [ A.
line_end read_line(text& line, const char* prompt);

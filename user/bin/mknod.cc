// mknod: makes a device's name, or a pipe's.
#include <string.h>
#include <sys/stat.h>
#include <tool.h>

int main(int argc, char** argv) {
  tool::begin(argv,
              "NAME b|c MAJOR MINOR\nMakes a block or character special file. Or: mknod NAME p");
  if (argc < 3 || strlen(argv[2]) != 1) tool::misuse();
  const char kind = argv[2][0];
  if (argc != (kind == 'p' ? 3 : 5) || !strchr("bcp", kind)) tool::misuse();
  const mode_t type = kind == 'b' ? S_IFBLK : kind == 'c' ? S_IFCHR : S_IFIFO;
  dev_t dev = 0;
  if (kind != 'p')
    dev = makedev(static_cast<unsigned>(tool::number(argv[3])),
                  static_cast<unsigned>(tool::number(argv[4])));
  return mknod(argv[1], type | 0666, dev) < 0 ? tool::complain(argv[1]) : 0;
}

// What the error numbers mean, in words.
#include <errno.h>
#include <string.h>

const char* strerror(int error_nr) {
  switch (error_nr) {
    case 0: return "Success";
    case EPERM: return "Operation not permitted";
    case ENOENT: return "No such file or directory";
    case ESRCH: return "No such process";
    case EINTR: return "Interrupted";
    case EIO: return "Input/output error";
    case ENXIO: return "No such device or address";
    case E2BIG: return "Argument list too long";
    case ENOEXEC: return "Not a program";
    case EBADF: return "Bad file descriptor";
    case ECHILD: return "No child processes";
    case EAGAIN: return "Try again";
    case ENOMEM: return "Out of memory";
    case EACCES: return "Permission denied";
    case EFAULT: return "Bad address";
    case ENOTBLK: return "Not a block device";
    case EBUSY: return "Device or resource busy";
    case EEXIST: return "File exists";
    case EXDEV: return "Not on the same device";
    case ENODEV: return "No such device";
    case ENOTDIR: return "Not a directory";
    case EISDIR: return "Is a directory";
    case EINVAL: return "Invalid argument";
    case ENFILE: return "Too many open files in the system";
    case EMFILE: return "Too many open files";
    case ENOTTY: return "Not a terminal";
    case ETXTBSY: return "Program is running";
    case EFBIG: return "File too large";
    case ENOSPC: return "No space left on device";
    case ESPIPE: return "Cannot seek";
    case EROFS: return "Read-only file system";
    case EMLINK: return "Too many links";
    case EPIPE: return "Broken pipe";
    case EDOM: return "Outside the function's domain";
    case ERANGE: return "Result too large";
    case EDEADLK: return "Would wait for itself";
    case ENAMETOOLONG: return "Name too long";
    case ENOSYS: return "No such system call";
    case ENOTEMPTY: return "Directory not empty";
    case EPROTO: return "Protocol error";
    case EOVERFLOW: return "Value too large";
    case EILSEQ: return "Malformed text";
    case ENOTSUP: return "Not supported";
    case ETIMEDOUT: return "Timed out";
    case ENOMEDIUM: return "No medium";
    default: return "Unknown error";
  }
}

#!/bin/sh
# gen.sh CUDA_H > cudaload.c
#
# Writes C that stands in for libcuda at link time. Every driver function that the header declares becomes a jump through a pointer.
# A constructor opens the driver ($CUDA_DRIVER_LIB, or libcuda.so.1) and fills the pointers in, so the program starts without one:
#   no library      every function returns 100, CUDA_ERROR_NO_DEVICE
#   no such symbol  that function returns 500, CUDA_ERROR_NOT_FOUND
# cuInit always returns 0, since gorgonia.org/cu ends the process at start when it fails; ask these instead:
#   int cudaload_status          cuInit's real result, 100 without a library
#   const char *cudaload_error   why the library named in $CUDA_DRIVER_LIB was not opened; else NULL
set -eu
[ $# = 1 ] || { echo "usage: gen.sh CUDA_H > cudaload.c" >&2; exit 2; }

# after the preprocessor the names are those in the library, cuMemAlloc_v2 and so on
text=$(${CC:-cc} -E -P -x c "$1")
names=$(printf '%s\n' "$text" | tr '\n\t' '  ' | grep -oE 'CUresult +cu[A-Z][A-Za-z0-9_]* *\(' | sed 's/^CUresult *//; s/ *($//' | LC_ALL=C sort -u)
printf '%s\n' "$names" | grep -qx cuInit || { echo "gen.sh: $1 does not declare cuInit" >&2; exit 1; }

printf '%s\n' "$names" | awk '
$1 != "cuInit" { name[n++] = $1 }
END {
	print "// made by loader/gen.sh, do not edit"
	print "#include <dlfcn.h>"
	print "#include <stdlib.h>"
	print "#include <string.h>"
	print ""
	print "int cudaload_status = 100;"
	print "const char *cudaload_error;"
	print ""
	print "static int nolib(void) { return 100; }"
	print "static int nosym(void) { return 500; }"
	print "static int (*real_init)(unsigned);"
	print ""
	# a load of a hidden variable from assembly needs no entry in the table of global offsets
	print "#define HIDDEN __attribute__((visibility(\"hidden\"), used))"
	for (i = 0; i < n; i++) printf "HIDDEN void *cudaload_p%d = (void *)nolib;\n", i
	print ""
	print "static const struct { const char *name; void **at; } table[] = {"
	for (i = 0; i < n; i++) printf "\t{\"%s\", &cudaload_p%d},\n", name[i], i
	print "};"
	print ""
	print "__attribute__((constructor)) static void cudaload(void) {"
	print "\tconst char *named = getenv(\"CUDA_DRIVER_LIB\");"
	print "\tif (named && !*named) named = 0;"
	print "\tvoid *lib = dlopen(named ? named : \"libcuda.so.1\", RTLD_NOW | RTLD_GLOBAL);"
	print "\tif (!lib) {"
	print "\t\tconst char *why = dlerror();"
	print "\t\tif (named) cudaload_error = strdup(why ? why : \"cannot be opened\");"
	print "\t\treturn;"
	print "\t}"
	print "\tfor (size_t i = 0; i < sizeof table / sizeof *table; i++) {"
	print "\t\tvoid *s = dlsym(lib, table[i].name);"
	print "\t\t*table[i].at = s ? s : (void *)nosym;"
	print "\t}"
	print "\treal_init = (int (*)(unsigned))dlsym(lib, \"cuInit\");"
	print "\tif (!real_init) cudaload_status = 500;"
	print "}"
	print ""
	print "int cuInit(unsigned flags) {"
	print "\tif (real_init) cudaload_status = real_init(flags);"
	print "\treturn 0;"
	print "}"
	print ""
	# in assembly, so that every argument passes through untouched
	print "#if defined(__x86_64__)"
	print "#define JUMP(name, i) __asm__(\".text\\n.globl \" #name \"\\n.type \" #name \",@function\\n\" #name \":\\n\" \\"
	print "\t\"jmp *cudaload_p\" #i \"(%rip)\\n.size \" #name \",.-\" #name \"\\n\");"
	print "#elif defined(__aarch64__)"
	print "#define JUMP(name, i) __asm__(\".text\\n.balign 4\\n.globl \" #name \"\\n.type \" #name \",%function\\n\" #name \":\\n\" \\"
	print "\t\"adrp x16,cudaload_p\" #i \"\\nldr x16,[x16,:lo12:cudaload_p\" #i \"]\\nbr x16\\n.size \" #name \",.-\" #name \"\\n\");"
	print "#else"
	print "#error \"the loader knows x86-64 and aarch64 only\""
	print "#endif"
	for (i = 0; i < n; i++) printf "JUMP(%s, %d)\n", name[i], i
}'

// driver.cc - a stand-in for libcuda.so.1, for tests on a machine without a GPU.
//
// Kernels run on the CPU (kernels/emu.h), at once, in the launch. Device memory is host memory. What a GPU would punish late or never
// is refused here at the call: copies past an allocation or into freed memory, launches over a limit, calls without a context.
//
//   STANDIN_DEVICES=0     as on a machine with the driver and without a GPU
//   STANDIN_MEMORY=N      bytes of device memory (4 GiB)
//   STANDIN_CC=75         compute capability (80); PTX for a newer one is refused
//   STANDIN_DRIVER=11040  driver version (12040); PTX of a newer version is refused
//   STANDIN_SHARED=N      the most dynamic shared memory a kernel may ask for (227 KiB)
//   STANDIN_FILL=N        the byte that new and freed memory is filled with (0xA5; 0xFF makes every float a NaN)
//   STANDIN_THREADS=N     threads that run blocks (all cores); 1 makes float atomics add in one order
//   STANDIN_LOG=1         say on stderr why a call was refused
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#pragma GCC visibility push(default) // the rest of the library stays hidden
#include <cuda.h>
extern "C" {
int standin_holds(const void *ptr, size_t bytes); // for the stand-in cuBLAS
int standin_current(void);
}
#pragma GCC visibility pop

#include "gpu.h"

static size_t env(const char *name, size_t otherwise) {
	const char *s = getenv(name);
	return s && *s ? strtoull(s, nullptr, 0) : otherwise;
}

__attribute__((format(printf, 2, 3))) static CUresult refuse(CUresult r, const char *format, ...) {
	static const bool log = env("STANDIN_LOG", 0);
	if (log) {
		va_list args;
		va_start(args, format);
		fprintf(stderr, "stand-in driver: ");
		vfprintf(stderr, format, args);
		fprintf(stderr, " (%d)\n", (int)r);
		va_end(args);
	}
	return r;
}

// ---- state

enum Kind { DEVICE, MANAGED, PINNED, REGISTERED };
struct Block {
	size_t size;
	Kind kind;
	CUcontext owner;
};
struct CUctx_st {
	bool alive = true;
	unsigned flags = 0;
	CUfunc_cache cache = CU_FUNC_CACHE_PREFER_NONE;
	CUsharedconfig banks = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
	size_t limits[5] = {1024, 1 << 20, 8 << 20, 2, 2048};
};
struct Entry {
	int threads = 1024; // .maxntid
	size_t shared = 0;  // static shared memory
};
struct CUmod_st {
	std::map<std::string, Entry> entries;
	std::map<std::string, CUfunction> functions;
};
struct CUfunc_st {
	std::string name;
	Entry entry;
	void (*run)(void *);
	size_t shared = 48 << 10; // dynamic, until raised
	int carveout = -1;
};
struct CUstream_st {
	unsigned flags;
	int priority;
};
struct CUevent_st {
	unsigned flags;
	bool recorded = false;
	std::chrono::steady_clock::time_point at;
};

static std::recursive_mutex mu; // guards all below
using Lock = std::lock_guard<std::recursive_mutex>;
static bool started;
static std::map<uintptr_t, Block> blocks;
static size_t used;
static CUctx_st primary;
static int retained;
static unsigned primary_flags;
static std::set<CUcontext> contexts;
static std::set<CUmodule> modules;
static std::set<CUfunction> functions;
static std::set<CUstream> streams;
static std::set<CUevent> events;
static thread_local std::vector<CUcontext> stack; // the last one is current

static size_t memory() {
	static const size_t n = env("STANDIN_MEMORY", size_t(4) << 30);
	return n;
}
static int capability() {
	static const int n = (int)env("STANDIN_CC", 80);
	return n;
}
static int version() {
	static const int n = (int)env("STANDIN_DRIVER", 12040);
	return n;
}
static size_t most_shared() {
	static const size_t n = env("STANDIN_SHARED", 227 << 10);
	return n;
}
static int fill() {
	static const int n = (int)env("STANDIN_FILL", 0xA5);
	return n;
}
static bool present() { return env("STANDIN_DEVICES", 1) > 0; }

static CUresult init_done(const char *call) { return started ? CUDA_SUCCESS : refuse(CUDA_ERROR_NOT_INITIALIZED, "%s before cuInit", call); }
static CUresult device_ok(const char *call, CUdevice dev) {
	if (CUresult r = init_done(call)) return r;
	return dev == 0 ? CUDA_SUCCESS : refuse(CUDA_ERROR_INVALID_DEVICE, "%s: device %d", call, dev);
}
static CUresult context_ok(const char *call) {
	if (CUresult r = init_done(call)) return r;
	if (stack.empty()) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: this thread has no current context", call);
	if (!contexts.count(stack.back()) || !stack.back()->alive) return refuse(CUDA_ERROR_CONTEXT_IS_DESTROYED, "%s: the current context is gone", call);
	return CUDA_SUCCESS;
}
// the first line of most calls
#define INIT                                           \
	Lock lock(mu);                                     \
	do {                                               \
		if (CUresult r = init_done(__func__)) return r; \
	} while (0)
#define DEVICE(dev)                                          \
	Lock lock(mu);                                           \
	do {                                                     \
		if (CUresult r = device_ok(__func__, dev)) return r; \
	} while (0)
#define CONTEXT                                          \
	Lock lock(mu);                                       \
	do {                                                 \
		if (CUresult r = context_ok(__func__)) return r; \
	} while (0)
#define NEED(cond)                                                                              \
	do {                                                                                        \
		if (!(cond)) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: not so: %s", __func__, #cond); \
	} while (0)
#define HANDLE(set, h)                                                                               \
	do {                                                                                             \
		if (!set.count(h)) return refuse(CUDA_ERROR_INVALID_HANDLE, "%s: no such handle in " #set, __func__); \
	} while (0)
// null, legacy and per-thread streams always exist
#define STREAM(s)                      \
	do {                               \
		if ((uintptr_t)s > 2) HANDLE(streams, s); \
	} while (0)

// ---- start, errors, devices

static const struct {
	CUresult code;
	const char *name, *text;
} errors[] = {
#define ERROR(code, text) {code, #code, text},
	ERROR(CUDA_SUCCESS, "no error")
	ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument")
	ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")
	ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error")
	ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")
	ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal")
	ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid")
	ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context")
	ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device")
	ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit is not supported on this architecture")
	ERROR(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed")
	ERROR(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain")
	ERROR(CUDA_ERROR_FILE_NOT_FOUND, "file not found")
	ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle")
	ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found")
	ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch")
	ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed")
	ERROR(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "part or all of the requested memory range is already mapped")
	ERROR(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "pointer does not correspond to a registered memory region")
	ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered")
	ERROR(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure")
	ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported")
	ERROR(CUDA_ERROR_UNKNOWN, "unknown error")
};

CUresult cuGetErrorName(CUresult error, const char **name) {
	for (auto &e : errors)
		if (e.code == error) return *name = e.name, CUDA_SUCCESS;
	return *name = nullptr, CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult error, const char **text) {
	for (auto &e : errors)
		if (e.code == error) return *text = e.text, CUDA_SUCCESS;
	return *text = nullptr, CUDA_ERROR_INVALID_VALUE;
}

CUresult cuInit(unsigned flags) {
	Lock lock(mu);
	NEED(flags == 0);
	if (!present()) return CUDA_ERROR_NO_DEVICE;
	started = true;
	return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int *v) {
	NEED(v);
	*v = version();
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int *n) {
	Lock lock(mu);
	NEED(n);
	if (!present()) return *n = 0, CUDA_SUCCESS;
	if (CUresult r = init_done(__func__)) return r;
	*n = 1;
	return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice *dev, int ordinal) {
	DEVICE(ordinal);
	*dev = 0;
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int len, CUdevice dev) {
	DEVICE(dev);
	NEED(name && len > 0);
	snprintf(name, (size_t)len, "stand-in");
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice dev) {
	DEVICE(dev);
	memcpy(uuid->bytes, "stand-in device ", sizeof uuid->bytes);
	return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t *bytes, CUdevice dev) {
	DEVICE(dev);
	*bytes = memory();
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attr, CUdevice dev) {
	DEVICE(dev);
	NEED(value && attr > 0 && attr < 150);
	const bool ampere = capability() >= 80;
	switch ((int)attr) {
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *value = 1024; break;
	case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *value = 64; break;
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
	case CU_DEVICE_ATTRIBUTE_MAX_PITCH: *value = 0x7fffffff; break;
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
	case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *value = 65535; break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 48 << 10; break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = (int)most_shared(); break;
	case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: *value = (int)most_shared() + 1024; break;
	case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
	case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
	case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: *value = 64 << 10; break;
	case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
	case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 4; break;
	case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *value = ampere ? 2048 : 1024; break;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability() / 10; break;
	case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability() % 10; break;
	case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
	case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *value = 1000000; break;
	case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *value = 4 << 20; break;
	case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: *value = 64; break;
	case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT:
	case CU_DEVICE_ATTRIBUTE_SURFACE_ALIGNMENT: *value = 512; break;
	case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT:
	case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
	case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
	case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
	case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
	case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED: *value = 1; break;
	default: *value = 0;
	}
	return CUDA_SUCCESS;
}
CUresult cuDeviceCanAccessPeer(int *can, CUdevice dev, CUdevice) {
	DEVICE(dev);
	*can = 0;
	return CUDA_SUCCESS;
}
CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute, CUdevice src, CUdevice) {
	DEVICE(src);
	*value = 0;
	return CUDA_SUCCESS;
}

// ---- memory

static Block *find(uintptr_t p, uintptr_t *base = nullptr) {
	auto it = blocks.upper_bound(p);
	if (it == blocks.begin()) return nullptr;
	--it;
	if (p - it->first >= it->second.size) return nullptr;
	if (base) *base = it->first;
	return &it->second;
}

// whether [p, p+n) lies in one allocation the device may reach
static bool reachable(const char *call, CUdeviceptr p, size_t n) {
	uintptr_t base = 0;
	Block *b = find(p, &base);
	if (b && n <= b->size - (p - base)) return true;
	if (b) refuse(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at offset %zu of an allocation of %zu", call, n, (size_t)(p - base), b->size);
	else refuse(CUDA_ERROR_INVALID_VALUE, "%s: %#llx is in no live allocation", call, p);
	return false;
}
// a host pointer may be anything, but must not run over the end of pinned memory
static bool host_ok(const char *call, const void *p, size_t n) {
	if (!p) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: null host pointer", call), false;
	return !find((uintptr_t)p) || reachable(call, (uintptr_t)p, n);
}

int standin_holds(const void *ptr, size_t bytes) {
	Lock lock(mu);
	return reachable("cublas", (uintptr_t)ptr, bytes);
}
int standin_current() {
	Lock lock(mu);
	return context_ok("cublas") == CUDA_SUCCESS;
}

// Freed memory is kept for a while, overwritten, so that a stale pointer does not point into a newer allocation.
static void retire(void *p, size_t n) {
	memset(p, fill(), n);
#if defined(__SANITIZE_ADDRESS__)
	free(p); // the sanitizer does this better
#else
	static std::deque<std::pair<void *, size_t>> kept;
	static size_t total;
	kept.push_back({p, n});
	total += n;
	while (!kept.empty() && total > size_t(64) << 20) {
		total -= kept.front().second;
		free(kept.front().first);
		kept.pop_front();
	}
#endif
}
static CUresult take(const char *call, uintptr_t *out, size_t n, Kind kind) {
	const bool counted = kind == DEVICE || kind == MANAGED;
	if (n == 0) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: 0 bytes", call);
	if (counted && n > memory() - used) return refuse(CUDA_ERROR_OUT_OF_MEMORY, "%s: %zu bytes, %zu of %zu are free", call, n, memory() - used, memory());
	void *p = nullptr;
	// not rounded up, so that the address sanitizer sees the end
	if (posix_memalign(&p, kind == PINNED ? 4096 : 512, n)) return refuse(CUDA_ERROR_OUT_OF_MEMORY, "%s: the host has no %zu bytes", call, n);
	memset(p, fill(), n);
	blocks[(uintptr_t)p] = {n, kind, stack.back()};
	if (counted) used += n;
	*out = (uintptr_t)p;
	return CUDA_SUCCESS;
}
static void drop(std::map<uintptr_t, Block>::iterator it) {
	if (it->second.kind == DEVICE || it->second.kind == MANAGED) used -= it->second.size;
	if (it->second.kind != REGISTERED) retire((void *)it->first, it->second.size);
	blocks.erase(it);
}

CUresult cuMemGetInfo(size_t *free, size_t *total) {
	CONTEXT;
	if (free) *free = memory() - used;
	if (total) *total = memory();
	return CUDA_SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr *ptr, size_t bytes) {
	CONTEXT;
	NEED(ptr);
	uintptr_t p = 0;
	if (CUresult r = take(__func__, &p, bytes, DEVICE)) return r;
	*ptr = p;
	return CUDA_SUCCESS;
}
CUresult cuMemAllocManaged(CUdeviceptr *ptr, size_t bytes, unsigned) {
	CONTEXT;
	NEED(ptr);
	uintptr_t p = 0;
	if (CUresult r = take(__func__, &p, bytes, MANAGED)) return r;
	*ptr = p;
	return CUDA_SUCCESS;
}
CUresult cuMemAllocPitch(CUdeviceptr *ptr, size_t *pitch, size_t width, size_t height, unsigned element) {
	CONTEXT;
	NEED(ptr && pitch && (element == 4 || element == 8 || element == 16));
	NEED(width < size_t(1) << 31 && height < size_t(1) << 31);
	uintptr_t p = 0;
	const size_t row = (width + 511) / 512 * 512;
	if (CUresult r = take(__func__, &p, row * height, DEVICE)) return r;
	*ptr = p, *pitch = row;
	return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr ptr) {
	CONTEXT;
	auto it = blocks.find(ptr);
	NEED(it != blocks.end() && (it->second.kind == DEVICE || it->second.kind == MANAGED));
	drop(it);
	return CUDA_SUCCESS;
}
CUresult cuMemGetAddressRange(CUdeviceptr *base, size_t *size, CUdeviceptr ptr) {
	CONTEXT;
	uintptr_t at = 0;
	Block *b = find(ptr, &at);
	if (!b) return refuse(CUDA_ERROR_NOT_FOUND, "%s: %#llx is in no live allocation", __func__, ptr);
	if (base) *base = at;
	if (size) *size = b->size;
	return CUDA_SUCCESS;
}
CUresult cuMemAllocHost(void **ptr, size_t bytes) {
	CONTEXT;
	NEED(ptr);
	uintptr_t p = 0;
	if (CUresult r = take(__func__, &p, bytes, PINNED)) return r;
	*ptr = (void *)p;
	return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void *ptr) {
	CONTEXT;
	auto it = blocks.find((uintptr_t)ptr);
	NEED(it != blocks.end() && it->second.kind == PINNED);
	drop(it);
	return CUDA_SUCCESS;
}
CUresult cuMemHostRegister(void *ptr, size_t bytes, unsigned) {
	CONTEXT;
	NEED(ptr && bytes);
	const uintptr_t p = (uintptr_t)ptr;
	auto next = blocks.lower_bound(p);
	if (find(p) || (next != blocks.end() && next->first - p < bytes)) return refuse(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "%s: overlaps", __func__);
	blocks[p] = {bytes, REGISTERED, stack.back()};
	return CUDA_SUCCESS;
}
CUresult cuMemHostUnregister(void *ptr) {
	CONTEXT;
	auto it = blocks.find((uintptr_t)ptr);
	if (it == blocks.end() || it->second.kind != REGISTERED) return refuse(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "%s: %p", __func__, ptr);
	drop(it);
	return CUDA_SUCCESS;
}
CUresult cuMemAdvise(CUdeviceptr ptr, size_t bytes, CUmem_advise, CUdevice) {
	CONTEXT;
	NEED(reachable(__func__, ptr, bytes));
	return CUDA_SUCCESS;
}
CUresult cuMemPrefetchAsync(CUdeviceptr ptr, size_t bytes, CUdevice, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	NEED(reachable(__func__, ptr, bytes));
	return CUDA_SUCCESS;
}
CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attr, CUdeviceptr ptr) {
	CONTEXT;
	Block *b = find(ptr);
	NEED(value && b);
	const bool host = b->kind == PINNED || b->kind == REGISTERED;
	switch (attr) {
	case CU_POINTER_ATTRIBUTE_CONTEXT: *(CUcontext *)value = b->owner; break;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)value = host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE; break;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)value = ptr; break;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		NEED(host || b->kind == MANAGED);
		*(void **)value = (void *)(uintptr_t)ptr;
		break;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(bool *)value = b->kind == MANAGED; break;
	default: return refuse(CUDA_ERROR_NOT_SUPPORTED, "%s: attribute %d", __func__, (int)attr);
	}
	return CUDA_SUCCESS;
}

// ---- copies

#define COPY(to_ok, from_ok, to, from, n)        \
	do {                                         \
		if (n == 0) return CUDA_SUCCESS;         \
		NEED(to_ok);                             \
		NEED(from_ok);                           \
		memmove((void *)(to), (void *)(from), n); \
		return CUDA_SUCCESS;                     \
	} while (0)

CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t n) {
	CONTEXT;
	COPY(reachable("cuMemcpy", dst, n), reachable("cuMemcpy", src, n), dst, src, n);
}
CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t n, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpy(dst, src, n);
}
CUresult cuMemcpyPeer(CUdeviceptr dst, CUcontext dst_ctx, CUdeviceptr src, CUcontext src_ctx, size_t n) {
	CONTEXT;
	if (!contexts.count(dst_ctx) || !contexts.count(src_ctx)) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: no such context", __func__);
	return cuMemcpy(dst, src, n);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr dst, CUcontext dst_ctx, CUdeviceptr src, CUcontext src_ctx, size_t n, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpyPeer(dst, dst_ctx, src, src_ctx, n);
}
CUresult cuMemcpyHtoD(CUdeviceptr dst, const void *src, size_t n) {
	CONTEXT;
	COPY(reachable("cuMemcpyHtoD", dst, n), host_ok("cuMemcpyHtoD", src, n), dst, src, n);
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr dst, const void *src, size_t n, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpyHtoD(dst, src, n);
}
CUresult cuMemcpyDtoH(void *dst, CUdeviceptr src, size_t n) {
	CONTEXT;
	COPY(host_ok("cuMemcpyDtoH", dst, n), reachable("cuMemcpyDtoH", src, n), dst, src, n);
}
CUresult cuMemcpyDtoHAsync(void *dst, CUdeviceptr src, size_t n, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpyDtoH(dst, src, n);
}
CUresult cuMemcpyDtoD(CUdeviceptr dst, CUdeviceptr src, size_t n) {
	CONTEXT;
	COPY(reachable("cuMemcpyDtoD", dst, n), reachable("cuMemcpyDtoD", src, n), dst, src, n);
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr dst, CUdeviceptr src, size_t n, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpyDtoD(dst, src, n);
}

// the first byte of a side of a 2D copy, or null when it does not fit
static char *side(CUmemorytype type, void *host, CUdeviceptr dev, size_t x, size_t y, size_t pitch, size_t width, size_t height) {
	const size_t most = size_t(1) << 40;
	if (x >= most || y >= most || width >= most || height >= most || pitch >= most) return nullptr;
	if (height > 1 && pitch < x + width) return nullptr;
	const bool on_host = type == CU_MEMORYTYPE_HOST;
	if (!on_host && type != CU_MEMORYTYPE_DEVICE && type != CU_MEMORYTYPE_UNIFIED) return nullptr; // no arrays
	if ((__uint128_t)pitch * (y + height) > SIZE_MAX / 2) return nullptr;
	const size_t offset = y * pitch + x, bytes = (height - 1) * pitch + width;
	if (on_host) return host_ok("2D copy", host, offset + bytes) ? (char *)host + offset : nullptr;
	return reachable("2D copy", dev + offset, bytes) ? (char *)(uintptr_t)dev + offset : nullptr;
}
CUresult cuMemcpy2D(const CUDA_MEMCPY2D *c) {
	CONTEXT;
	NEED(c);
	if (c->WidthInBytes == 0 || c->Height == 0) return CUDA_SUCCESS;
	char *to = side(c->dstMemoryType, c->dstHost, c->dstDevice, c->dstXInBytes, c->dstY, c->dstPitch, c->WidthInBytes, c->Height);
	char *from = side(c->srcMemoryType, (void *)c->srcHost, c->srcDevice, c->srcXInBytes, c->srcY, c->srcPitch, c->WidthInBytes, c->Height);
	NEED(to && from);
	for (size_t i = 0; i < c->Height; i++) memmove(to + i * c->dstPitch, from + i * c->srcPitch, c->WidthInBytes);
	return CUDA_SUCCESS;
}
CUresult cuMemcpy2DUnaligned(const CUDA_MEMCPY2D *c) { return cuMemcpy2D(c); }
CUresult cuMemcpy2DAsync(const CUDA_MEMCPY2D *c, CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return cuMemcpy2D(c);
}

// ---- memset

template <class T> static CUresult set(const char *call, CUdeviceptr dst, size_t pitch, T value, size_t width, size_t height, CUstream stream) {
	Lock lock(mu);
	if (CUresult r = context_ok(call)) return r;
	STREAM(stream);
	if (width == 0 || height == 0) return CUDA_SUCCESS;
	const size_t most = SIZE_MAX / 2;
	NEED(width <= most / sizeof(T) && (height == 1 || (pitch >= width * sizeof(T) && pitch % sizeof(T) == 0 && pitch <= most / height)));
	NEED(dst % sizeof(T) == 0 && reachable(call, dst, (height - 1) * pitch + width * sizeof(T)));
	for (size_t y = 0; y < height; y++) {
		T *row = (T *)(uintptr_t)(dst + y * pitch);
		for (size_t x = 0; x < width; x++) row[x] = value;
	}
	return CUDA_SUCCESS;
}
#define MEMSET(bits, T)                                                                                                    \
	CUresult cuMemsetD##bits##_v2(CUdeviceptr dst, T value, size_t n) { return set(__func__, dst, 0, value, n, 1, 0); }    \
	CUresult cuMemsetD##bits##Async(CUdeviceptr dst, T value, size_t n, CUstream stream) {                                 \
		return set(__func__, dst, 0, value, n, 1, stream);                                                                 \
	}                                                                                                                      \
	CUresult cuMemsetD2D##bits##_v2(CUdeviceptr dst, size_t pitch, T value, size_t width, size_t height) {                 \
		return set(__func__, dst, pitch, value, width, height, 0);                                                         \
	}                                                                                                                      \
	CUresult cuMemsetD2D##bits##Async(CUdeviceptr dst, size_t pitch, T value, size_t width, size_t height, CUstream stream) { \
		return set(__func__, dst, pitch, value, width, height, stream);                                                    \
	}
MEMSET(8, unsigned char)
MEMSET(16, unsigned short)
MEMSET(32, unsigned)

// ---- contexts

static void end(CUcontext ctx) {
	ctx->alive = false;
	for (auto it = blocks.begin(); it != blocks.end();) {
		auto at = it++;
		if (at->second.owner == ctx) drop(at);
	}
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *ctx, CUdevice dev) {
	DEVICE(dev);
	NEED(ctx);
	if (retained++ == 0) {
		primary = CUctx_st();
		primary.flags = primary_flags;
		contexts.insert(&primary);
	}
	*ctx = &primary;
	return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice dev) {
	DEVICE(dev);
	if (retained == 0) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: not retained", __func__);
	if (--retained == 0) end(&primary);
	return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxReset(CUdevice dev) {
	DEVICE(dev);
	retained = 0;
	end(&primary);
	return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned flags) {
	DEVICE(dev);
	primary_flags = flags;
	if (retained) primary.flags = flags;
	return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned *flags, int *active) {
	DEVICE(dev);
	*flags = primary_flags;
	*active = retained > 0;
	return CUDA_SUCCESS;
}
CUresult cuCtxCreate(CUcontext *ctx, unsigned flags, CUdevice dev) {
	DEVICE(dev);
	NEED(ctx);
	*ctx = new CUctx_st;
	(*ctx)->flags = flags;
	contexts.insert(*ctx);
	stack.push_back(*ctx);
	return CUDA_SUCCESS;
}
static bool live(CUcontext ctx) { return contexts.count(ctx) && ctx->alive; }
CUresult cuCtxDestroy(CUcontext ctx) {
	INIT;
	if (!live(ctx) || ctx == &primary) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: no such context", __func__);
	if (!stack.empty() && stack.back() == ctx) stack.pop_back();
	end(ctx); // stays in the set: it may be current on other threads
	return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext ctx) {
	INIT;
	if (!live(ctx)) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: no such context", __func__);
	stack.push_back(ctx);
	return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext *ctx) {
	INIT;
	if (stack.empty()) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: no current context", __func__);
	if (ctx) *ctx = stack.back();
	stack.pop_back();
	return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext ctx) {
	INIT;
	if (ctx && !live(ctx)) return refuse(CUDA_ERROR_INVALID_CONTEXT, "%s: no such context", __func__);
	if (!stack.empty()) stack.pop_back();
	if (ctx) stack.push_back(ctx);
	return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *ctx) {
	INIT;
	NEED(ctx);
	*ctx = stack.empty() ? nullptr : stack.back();
	return CUDA_SUCCESS;
}
CUresult cuCtxGetDevice(CUdevice *dev) {
	CONTEXT;
	*dev = 0;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetFlags(unsigned *flags) {
	CONTEXT;
	*flags = stack.back()->flags;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetApiVersion(CUcontext, unsigned *v) {
	CONTEXT;
	*v = 3020;
	return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize() {
	CONTEXT;
	return CUDA_SUCCESS;
}
CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
	CONTEXT;
	if ((unsigned)limit >= 5) return CUDA_ERROR_UNSUPPORTED_LIMIT;
	stack.back()->limits[limit] = value;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetLimit(size_t *value, CUlimit limit) {
	CONTEXT;
	if ((unsigned)limit >= 5) return CUDA_ERROR_UNSUPPORTED_LIMIT;
	*value = stack.back()->limits[limit];
	return CUDA_SUCCESS;
}
CUresult cuCtxSetCacheConfig(CUfunc_cache config) {
	CONTEXT;
	stack.back()->cache = config;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetCacheConfig(CUfunc_cache *config) {
	CONTEXT;
	*config = stack.back()->cache;
	return CUDA_SUCCESS;
}
CUresult cuCtxSetSharedMemConfig(CUsharedconfig config) {
	CONTEXT;
	stack.back()->banks = config;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetSharedMemConfig(CUsharedconfig *config) {
	CONTEXT;
	*config = stack.back()->banks;
	return CUDA_SUCCESS;
}
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
	CONTEXT;
	if (least) *least = 0;
	if (greatest) *greatest = -5;
	return CUDA_SUCCESS;
}
CUresult cuCtxResetPersistingL2Cache() {
	CONTEXT;
	return CUDA_SUCCESS;
}

// ---- modules: the PTX is read for what a driver would check, the kernels are those compiled in

static size_t after(const std::string &s, size_t at) {
	while (at < s.size() && isspace((unsigned char)s[at])) at++;
	return at;
}
static bool mentions(const std::string &body, const std::string &name) {
	auto part = [](char c) { return isalnum((unsigned char)c) || c == '_' || c == '$'; };
	for (size_t at = 0; (at = body.find(name, at)) != std::string::npos; at += name.size()) {
		const size_t next = at + name.size();
		if ((at == 0 || !part(body[at - 1])) && (next == body.size() || !part(body[next]))) return true;
	}
	return false;
}
static CUresult read_ptx(const std::string &ptx, CUmodule m, std::string *why) {
	int major = 0, minor = 0, sm = 0;
	char arch = 0;
	size_t at = ptx.find(".version ");
	if (at == std::string::npos || sscanf(ptx.c_str() + at, ".version %d.%d", &major, &minor) != 2) return *why = "not PTX", CUDA_ERROR_INVALID_IMAGE;
	at = ptx.find(".target ");
	if (at == std::string::npos || sscanf(ptx.c_str() + at, ".target sm_%d%c", &sm, &arch) < 1) return *why = "no .target", CUDA_ERROR_INVALID_PTX;
	// PTX 6.3 came with CUDA 10.0, 7.0 with 11.0, 8.0 with 12.0
	const int needs = major >= 7 ? (major + 4) * 1000 + minor * 10 : 10000 + (minor > 3 ? minor - 3 : 0) * 10;
	if (version() < needs) return *why = ".version is newer than the driver", CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
	if (sm > capability() || (arch == 'a' && sm != capability())) return *why = ".target is newer than the device", CUDA_ERROR_INVALID_PTX;

	const std::string mark = ".visible .entry ";
	for (at = ptx.find(mark); at != std::string::npos;) {
		const size_t next = ptx.find(mark, at + mark.size());
		const std::string body = ptx.substr(at + mark.size(), next == std::string::npos ? next : next - at - mark.size());
		const size_t open = body.find('('), close = body.find(')'), brace = body.find('{');
		if (open == std::string::npos || close == std::string::npos || brace == std::string::npos) return *why = "cut off", CUDA_ERROR_INVALID_PTX;
		Entry e;
		const std::string head = body.substr(close, brace - close);
		int x = 0, y = 1, z = 1;
		if (size_t p = head.find(".maxntid "); p != std::string::npos && sscanf(head.c_str() + p, ".maxntid %d, %d, %d", &x, &y, &z) >= 1) e.threads = x * y * z;
		for (size_t p = 0; (p = ptx.find(".shared .align ", p)) != std::string::npos; p++) {
			// .shared .align 4 .b8 name[1024]; without a size it is the dynamic part
			int bits = 0;
			char name[512];
			size_t n = 1;
			const int got = sscanf(ptx.c_str() + p, ".shared .align %*d .%*1[bfus]%d %511[A-Za-z0-9_$][%zu]", &bits, name, &n);
			if (got >= 2 && !(p >= 8 && ptx.compare(p - 8, 8, ".extern ") == 0) && mentions(body, name)) e.shared += n * (size_t)bits / 8;
		}
		std::string name = body.substr(0, open);
		while (!name.empty() && isspace((unsigned char)name.back())) name.pop_back();
		m->entries[name.substr(after(name, 0))] = e;
		at = next;
	}
	return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned n, CUjit_option *options, void **values) {
	CONTEXT;
	NEED(module && image && (n == 0 || (options && values)));
	*module = nullptr;
	std::string why;
	CUmodule m = new CUmod_st;
	const CUresult r = read_ptx((const char *)image, m, &why);
	// the log goes to the buffer, and its length to where the buffer's size was
	char *log = nullptr;
	int size_at = -1;
	for (unsigned i = 0; i < n; i++) {
		if (options[i] == CU_JIT_ERROR_LOG_BUFFER) log = (char *)values[i];
		if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) size_at = (int)i;
	}
	if (size_at >= 0) {
		const size_t room = (size_t)(unsigned)(uintptr_t)values[size_at];
		size_t len = 0;
		if (log && room && r) {
			snprintf(log, room, "stand-in: %s", why.c_str());
			len = strlen(log) + 1;
		}
		values[size_at] = (void *)(uintptr_t)len;
	}
	if (r) {
		delete m;
		return refuse(r, "%s: %s", __func__, why.c_str());
	}
	modules.insert(m);
	*module = m;
	return CUDA_SUCCESS;
}
CUresult cuModuleLoadData(CUmodule *module, const void *image) { return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr); }
CUresult cuModuleLoad(CUmodule *module, const char *file) {
	CONTEXT;
	NEED(file);
	std::ifstream in(file, std::ios::binary);
	if (!in) return refuse(CUDA_ERROR_FILE_NOT_FOUND, "%s: %s", __func__, file);
	const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
	return cuModuleLoadData(module, text.c_str());
}
CUresult cuModuleUnload(CUmodule module) {
	CONTEXT;
	HANDLE(modules, module);
	for (auto &f : module->functions) {
		functions.erase(f.second);
		delete f.second;
	}
	modules.erase(module);
	delete module;
	return CUDA_SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *func, CUmodule module, const char *name) {
	CONTEXT;
	HANDLE(modules, module);
	NEED(func && name);
	auto e = module->entries.find(name);
	if (e == module->entries.end()) return refuse(CUDA_ERROR_NOT_FOUND, "%s: the PTX has no .visible .entry %s", __func__, name);
	auto k = emu::registry().find(name);
	if (k == emu::registry().end()) {
		fprintf(stderr, "stand-in driver: the PTX has the kernel %s, but this library was built without it\n", name);
		return CUDA_ERROR_NOT_FOUND;
	}
	CUfunction &f = module->functions[name];
	if (!f) {
		f = new CUfunc_st;
		f->name = name, f->entry = e->second, f->run = k->second;
		functions.insert(f);
	}
	*func = f;
	return CUDA_SUCCESS;
}
CUresult cuModuleGetGlobal(CUdeviceptr *, size_t *, CUmodule module, const char *name) {
	CONTEXT;
	HANDLE(modules, module);
	return refuse(CUDA_ERROR_NOT_FOUND, "%s: %s", __func__, name);
}

// ---- functions

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attr, CUfunction f) {
	CONTEXT;
	HANDLE(functions, f);
	NEED(value);
	switch (attr) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = f->entry.threads; break;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = (int)f->entry.shared; break;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = (int)f->shared; break;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = f->carveout; break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION:
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = capability(); break;
	case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *value = 0; break;
	default: return refuse(CUDA_ERROR_INVALID_VALUE, "%s: attribute %d", __func__, (int)attr);
	}
	return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute attr, int value) {
	CONTEXT;
	HANDLE(functions, f);
	switch (attr) {
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		NEED(value >= 0 && (size_t)value + f->entry.shared <= most_shared());
		f->shared = (size_t)value;
		break;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		NEED(value >= -1 && value <= 100);
		f->carveout = value;
		break;
	default: return refuse(CUDA_ERROR_INVALID_VALUE, "%s: attribute %d cannot be set", __func__, (int)attr);
	}
	return CUDA_SUCCESS;
}
CUresult cuFuncSetCacheConfig(CUfunction f, CUfunc_cache) {
	CONTEXT;
	HANDLE(functions, f);
	return CUDA_SUCCESS;
}
CUresult cuFuncSetSharedMemConfig(CUfunction f, CUsharedconfig) {
	CONTEXT;
	HANDLE(functions, f);
	return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
	unsigned shared, CUstream stream, void **params, void **extra) {
	static std::mutex running; // one kernel at a time, as on one stream
	static const int threads = (int)env("STANDIN_THREADS", 0);
	void (*run)(void *);
	{
		CONTEXT;
		HANDLE(functions, f);
		STREAM(stream);
		NEED(gx > 0 && gy > 0 && gz > 0 && bx > 0 && by > 0 && bz > 0);
		NEED(gx <= 0x7fffffffu && gy <= 65535 && gz <= 65535);
		NEED(bx <= 1024 && by <= 1024 && bz <= 64 && bx * by * bz <= 1024);
		if ((int)(bx * by * bz) > f->entry.threads) return refuse(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "%s: %s: %u threads, made for %d", __func__, f->name.c_str(), bx * by * bz, f->entry.threads);
		// with static shared memory, the default 48 KiB are for both together
		const size_t both = 48 << 10, most = f->shared > both ? f->shared : std::min(f->shared, both - std::min(both, f->entry.shared));
		if (shared > most) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: %s: %u bytes of dynamic shared memory, %zu are allowed", __func__, f->name.c_str(), shared, most);
		NEED(!extra);
		run = f->run;
	}
	std::lock_guard<std::mutex> lock(running);
	emu::poison = shared > 0; // new in every block, as garbage
	emu::launch({gx, gy, gz}, {bx, by, bz}, run, params, threads);
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, CUfunction f, int threads, size_t shared, unsigned) {
	CONTEXT;
	HANDLE(functions, f);
	NEED(n && threads > 0);
	const size_t per_block = shared + f->entry.shared + 1024;
	*n = std::min(32, (capability() >= 80 ? 2048 : 1024) / ((threads + 31) / 32 * 32));
	if (threads > f->entry.threads || per_block > most_shared() + 1024) *n = 0;
	else *n = (int)std::min<size_t>((size_t)*n, (most_shared() + 1024) / per_block);
	return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction f, int threads, size_t shared) {
	return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, shared, 0);
}
CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction f, CUoccupancyB2DSize shared_of, size_t shared, int limit) {
	CONTEXT;
	HANDLE(functions, f);
	NEED(grid && block);
	int best = 0;
	for (int t = 32; t <= f->entry.threads && (limit <= 0 || t <= limit); t += 32) {
		int n = 0;
		cuOccupancyMaxActiveBlocksPerMultiprocessor(&n, f, t, shared_of ? shared_of(t) : shared);
		if (n * t >= best) best = n * t, *block = t, *grid = n * 4;
	}
	return CUDA_SUCCESS;
}

// ---- streams and events: everything has run when its call returns

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
	CONTEXT;
	NEED(stream && flags <= CU_STREAM_NON_BLOCKING);
	*stream = new CUstream_st{flags, std::max(-5, std::min(0, priority))};
	streams.insert(*stream);
	return CUDA_SUCCESS;
}
CUresult cuStreamCreate(CUstream *stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }
CUresult cuStreamDestroy(CUstream stream) {
	CONTEXT;
	HANDLE(streams, stream);
	streams.erase(stream);
	delete stream;
	return CUDA_SUCCESS;
}
CUresult cuStreamQuery(CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream stream) {
	CONTEXT;
	STREAM(stream);
	return CUDA_SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
	CONTEXT;
	STREAM(stream);
	HANDLE(events, event);
	return CUDA_SUCCESS;
}
CUresult cuStreamGetFlags(CUstream stream, unsigned *flags) {
	CONTEXT;
	STREAM(stream);
	*flags = (uintptr_t)stream > 2 ? stream->flags : 0;
	return CUDA_SUCCESS;
}
CUresult cuStreamGetPriority(CUstream stream, int *priority) {
	CONTEXT;
	STREAM(stream);
	*priority = (uintptr_t)stream > 2 ? stream->priority : 0;
	return CUDA_SUCCESS;
}
CUresult cuEventCreate(CUevent *event, unsigned flags) {
	CONTEXT;
	NEED(event && flags <= 7);
	*event = new CUevent_st{flags, false, {}};
	events.insert(*event);
	return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
	CONTEXT;
	HANDLE(events, event);
	events.erase(event);
	delete event;
	return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
	CONTEXT;
	HANDLE(events, event);
	STREAM(stream);
	event->recorded = true;
	event->at = std::chrono::steady_clock::now();
	return CUDA_SUCCESS;
}
CUresult cuEventQuery(CUevent event) {
	CONTEXT;
	HANDLE(events, event);
	return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent event) {
	CONTEXT;
	HANDLE(events, event);
	return CUDA_SUCCESS;
}
CUresult cuEventElapsedTime(float *ms, CUevent start, CUevent end) {
	CONTEXT;
	HANDLE(events, start);
	HANDLE(events, end);
	NEED(ms);
	if (!start->recorded || !end->recorded || (start->flags | end->flags) & CU_EVENT_DISABLE_TIMING) return refuse(CUDA_ERROR_INVALID_HANDLE, "%s: an event without a time", __func__);
	*ms = std::chrono::duration<float, std::milli>(end->at - start->at).count();
	return CUDA_SUCCESS;
}

// Package cuda is model.Device on an NVIDIA GPU: buffers of kind Act and what matrices are multiplied with are BF16,
// everything that is summed, and buffers of kind F32, are float32.
//
// It is built with the tag cuda and a C compiler (`make trainer` does so on Linux), without NVIDIA's toolkit: the driver
// is reached through gorgonia.org/cu over a header of our own (include/cuda.h) and a small library that opens the driver at
// run time (loader), so that the same program starts where there is none. Products are cuBLAS's, opened at run time
// too. The kernels (kernels/*.cu) are CUDA C, compiled to one PTX for compute capability 8.0, which is
// committed and which every driver from CUDA 11.0 on compiles for its card.
//
// Without a GPU the same kernels run as C++ on fibers behind a stand-in for the driver and cuBLAS
// (standin): `make cuda-test` runs the whole package on it.
//
// All calls to the driver are made by one goroutine on a thread of its own, in the order in which the methods were
// called; only Download, Sync, Memory and Times wait for it. No operation adds floats atomically, so the same calls
// give the same bits.
//
// Start with device.go for what is held, product.go for the products and the head, attention.go for the tables
// that segments become.
package cuda

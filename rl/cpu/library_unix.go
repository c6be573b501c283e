//go:build unix

package cpu

import "github.com/ebitengine/purego"

func openShared(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func symbol(handle uintptr, name string) (uintptr, error) { return purego.Dlsym(handle, name) }

func closeShared(handle uintptr) { _ = purego.Dlclose(handle) }

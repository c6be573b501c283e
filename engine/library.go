package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hybridgroup/yzma/pkg/llama"
	"github.com/hybridgroup/yzma/pkg/loader"
)

// The native libraries are opened at run time, once per process: llama.cpp
// cannot be unloaded safely while a driver's threads run in it.
var library struct {
	mu     sync.Mutex
	folder string // what is loaded; "" before
}

// A Device is something that ggml can compute on.
type Device struct {
	Name        string `json:"name"`        // ggml's: "CPU", "CUDA0"
	Description string `json:"description"` // the maker's name
	Kind        string `json:"kind"`        // cpu, gpu, igpu, accel
	Backend     string `json:"backend"`     // the ggml back end that drives it
	Free        uint64 `json:"free"`        // bytes
	Total       uint64 `json:"total"`       // bytes

	handle llama.GGMLBackendDevice
}

// Devices lists what the native libraries in a folder can compute on.
func Devices(folder string) ([]Device, error) {
	if err := loadLibrary(folder); err != nil {
		return nil, err
	}
	return devices(), nil
}

// SystemInfo is llama.cpp's own line about back ends and processor features.
func SystemInfo(folder string) (string, error) {
	if err := loadLibrary(folder); err != nil {
		return "", err
	}
	return strings.TrimSpace(llama.PrintSystemInfo()), nil
}

func devices() []Device {
	var found []Device
	for i := range llama.GGMLBackendDeviceCount() {
		d := llama.GGMLBackendDeviceGet(i)
		free, total := llama.GGMLBackendDeviceMemory(d)
		found = append(found, Device{
			Name:        llama.GGMLBackendDeviceName(d),
			Description: llama.GGMLBackendDeviceDescription(d),
			Kind:        strings.ToLower(llama.GGMLBackendDevType(d).String()),
			Backend:     llama.GGMLBackendRegName(llama.GGMLBackendDeviceBackendReg(d)),
			Free:        free,
			Total:       total,
			handle:      d,
		})
	}
	return found
}

// loadLibrary opens libllama and every ggml back end in folder.
func loadLibrary(folder string) error {
	if folder == "" {
		return errors.New("engine: load library: no folder was given")
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("engine: load library %s: %w", folder, err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	library.mu.Lock()
	defer library.mu.Unlock()
	if library.folder == path {
		return nil
	}
	if library.folder != "" {
		return fmt.Errorf("engine: load library %s: this process has loaded %s and cannot change it", path, library.folder)
	}
	if err := openLibrary(path); err != nil {
		return fmt.Errorf("engine: load library %s: %w", path, err)
	}
	library.folder = path
	return nil
}

func openLibrary(folder string) error {
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such folder")
	} else if err != nil {
		return err
	} else if !info.IsDir() {
		return errors.New("not a folder")
	}
	for _, name := range []string{"ggml-base", "ggml", "llama"} {
		if file := loader.GetLibraryFilename(folder, name); !exists(file) {
			return fmt.Errorf("%s is missing", filepath.Base(file))
		}
	}
	if err := llama.Load(folder); err != nil {
		return fmt.Errorf("it does not load: %w", err)
	}
	llama.LogSet(logCallback())
	mark := nativeLog.mark()
	llama.Init()
	if llama.GGMLBackendDeviceCount() == 0 {
		return fmt.Errorf("no ggml back end in it works on this machine: %s", nativeLog.since(mark))
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

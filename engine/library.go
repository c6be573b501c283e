package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/hybridgroup/yzma/pkg/llama"
	"github.com/hybridgroup/yzma/pkg/loader"
	"github.com/jupiterrider/ffi"
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
		return nil, fmt.Errorf("engine: list devices: %w", err)
	}
	return devices(), nil
}

// SystemInfo is llama.cpp's own line about back ends and processor features.
func SystemInfo(folder string) (string, error) {
	if err := loadLibrary(folder); err != nil {
		return "", fmt.Errorf("engine: describe the library: %w", err)
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
	path, err := libraryFolder(folder)
	if err != nil {
		return fmt.Errorf("load library %s: %w", folder, err)
	}
	library.mu.Lock()
	defer library.mu.Unlock()
	if library.folder == path {
		return nil
	}
	if library.folder != "" {
		return fmt.Errorf("load library %s: this process has loaded %s and cannot change it", path, library.folder)
	}
	if err := openLibrary(path); err != nil {
		return fmt.Errorf("load library %s: %w", path, err)
	}
	library.folder = path
	return nil
}

// libraryFolder checks that the files which yzma opens are there.
func libraryFolder(folder string) (string, error) {
	if folder == "" {
		return "", errors.New("no folder was given")
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("there is no such folder")
	} else if err != nil {
		return "", err
	}
	for _, name := range []string{"ggml-base", "ggml", "llama"} {
		file := loader.GetLibraryFilename(path, name)
		if _, err := os.Stat(file); err != nil {
			return "", fmt.Errorf("%s is missing", filepath.Base(file))
		}
	}
	return path, nil
}

// openLibrary opens the libraries and checks that they are the version whose
// structures the binding has.
func openLibrary(folder string) error {
	if err := llama.Load(folder); err != nil {
		return fmt.Errorf("it does not load: %w", err)
	}
	if err := checkVersion(folder); err != nil {
		return err
	}
	llama.LogSet(logCallback())
	mark := nativeLog.mark()
	llama.Init()
	if llama.GGMLBackendDeviceCount() == 0 {
		return fmt.Errorf("no ggml back end in it works on this machine: %s", nativeLog.since(mark))
	}
	return nil
}

// libraryVersion is the llama.cpp whose structures the binding has.
// A build from the sources says "0.5.0-dev".
const libraryVersion = "0.5.0"

// Version is the version that the native libraries in a folder give.
func Version(folder string) (string, error) {
	lib, err := loader.LoadLibrary(folder, "llama")
	if err != nil {
		return "", fmt.Errorf("engine: ask %s for its version: %w", folder, err)
	}
	call, err := lib.Prep("llama_version", &ffi.TypePointer)
	if err != nil {
		return "", nil // older ones have no such function
	}
	var text *byte
	call.Call(unsafe.Pointer(&text))
	return cString(text), nil
}

// checkVersion refuses another llama.cpp: its structures differ, and nothing
// else would tell. The version comes first, since the library writes its whole
// structure over the binding's; then the defaults in it are compared.
func checkVersion(folder string) error {
	if version, err := Version(folder); err != nil {
		return err
	} else if number, _, _ := strings.Cut(version, "-"); number != libraryVersion {
		return fmt.Errorf("it is llama.cpp %q, not %s", version, libraryVersion)
	}
	if !defaultsAgree(llama.ModelDefaultParams(), llama.ContextDefaultParams()) {
		return fmt.Errorf("its structures are not those of llama.cpp %s", libraryVersion)
	}
	return nil
}

func defaultsAgree(m llama.ModelParams, c llama.ContextParams) bool {
	return m.NGpuLayers == -1 && m.SplitMode == llama.SplitModeLayer && m.LoadMode == llama.LoadModeAuto &&
		m.LazyMode == llama.LazyModeAuto && m.MainGpu == 0 && m.TensorSplit == nil && m.KvOverrides == 0 &&
		m.VocabOnly == 0 && m.UseExtraBufts == 1 && m.NoHost == 0 && m.LoadMTP == 0 &&
		c.NCtx == 512 && c.NBatch == 2048 && c.NUbatch == 512 && c.NSeqMax == 1 && c.NThreads == 4 && c.NThreadsBatch == 4 &&
		c.RopeScalingType == llama.RopeScalingTypeUnspecified && c.PoolingType == llama.PoolingTypeUnspecified &&
		c.FlashAttentionType == llama.FlashAttentionTypeAuto && c.YarnExtFactor == -1 && c.YarnBetaSlow == -1 && c.DefragThold == -1 &&
		c.TypeK == llama.GGMLTypeF16 && c.TypeV == llama.GGMLTypeF16 && c.AbortCallback == 0 && c.Embeddings == 0 &&
		c.Offload_kqv == 1 && c.NoPerf == 1 && c.OpOffload == 1 && c.SwaFull == 1 && c.KVUnified == 0 && c.NSamplers == 0 && c.CtxOther == 0
}

package assets

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is what decides which build of llama.cpp serves and which model fits.
type Machine struct {
	OS, Arch     string
	Driver       string // NVIDIA's driver version; "": none
	GPUs         []GPU
	VulkanLoader bool  // libvulkan is there
	VulkanDevice bool  // and a driver with hardware behind it
	Free         int64 // memory that programs can still have, in bytes; 0: unknown
}

// GPU is one graphics card.
type GPU struct {
	Name       string
	Total      int64 // bytes
	Free       int64
	Capability float64 // CUDA's compute capability; 0: unknown or not NVIDIA's
}

// Probe looks at this machine. It loads no driver and cannot crash.
func Probe(ctx context.Context) Machine { return probe(ctx, "/") }

// probe looks below root, which a test can fill.
func probe(ctx context.Context, root string) Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH}
	m.nvidia(ctx, root)
	m.amd(root)
	m.vulkan(root)
	m.Free = freeMemory(root)
	return m
}

var versionPattern = regexp.MustCompile(`\b\d{3,}\.\d+(\.\d+)*\b`)

// nvidia asks nvidia-smi, which comes with the driver, and else the kernel module.
func (m *Machine) nvidia(ctx context.Context, root string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // it hangs when the driver is broken
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.free,compute_cap", "--format=csv,noheader,nounits").Output()
	if err == nil {
		m.readSMI(string(out))
	}
	if m.Driver == "" {
		b, _ := os.ReadFile(filepath.Join(root, "proc/driver/nvidia/version"))
		line, _, _ := strings.Cut(string(b), "\n")
		m.Driver = versionPattern.FindString(line)
	}
}

// readSMI reads lines like "NVIDIA H200, 580.65.06, 143771, 143155, 9.0", memory in MiB.
func (m *Machine) readSMI(out string) {
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), ", ")
		if len(f) != 5 {
			continue
		}
		total, _ := strconv.ParseInt(f[2], 10, 64)
		free, _ := strconv.ParseInt(f[3], 10, 64)
		capability, _ := strconv.ParseFloat(f[4], 64)
		m.Driver = f[1]
		m.GPUs = append(m.GPUs, GPU{Name: f[0], Total: total << 20, Free: free << 20, Capability: capability})
	}
}

// amd reads what the amdgpu driver says of its cards.
func (m *Machine) amd(root string) {
	cards, _ := filepath.Glob(filepath.Join(root, "sys/class/drm/card*/device/mem_info_vram_total"))
	for _, total := range cards {
		dir := filepath.Dir(total)
		all, used := readNumber(total), readNumber(filepath.Join(dir, "mem_info_vram_used"))
		if all > 0 && used >= 0 {
			m.GPUs = append(m.GPUs, GPU{Name: "AMD " + filepath.Base(filepath.Dir(dir)), Total: all, Free: all - used})
		}
	}
}

// vulkan looks for the loader and for a driver that is not a software renderer.
func (m *Machine) vulkan(root string) {
	if m.OS == "windows" { // the loader comes with every graphics driver
		system, _ := os.LookupEnv("SystemRoot")
		_, err := os.Stat(filepath.Join(system, "System32", "vulkan-1.dll"))
		m.VulkanLoader, m.VulkanDevice = err == nil, err == nil
		return
	}
	if root == "/" {
		for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
			m.VulkanLoader = m.VulkanLoader || exists(filepath.Join(dir, "libvulkan.so.1"))
		}
	}
	for _, pattern := range []string{"usr/lib/libvulkan.so.1", "usr/lib64/libvulkan.so.1", "usr/lib/*/libvulkan.so.1", "usr/local/lib/libvulkan.so.1", "lib/*/libvulkan.so.1"} {
		m.VulkanLoader = m.VulkanLoader || exists(filepath.Join(root, pattern))
	}
	driver := false
	for _, dir := range []string{"usr/share/vulkan/icd.d", "etc/vulkan/icd.d", "usr/local/share/vulkan/icd.d"} {
		found, _ := filepath.Glob(filepath.Join(root, dir, "*.json"))
		for _, f := range found {
			driver = driver || !strings.HasPrefix(filepath.Base(f), "lvp_") // llvmpipe: the processor
		}
	}
	m.VulkanDevice = driver && (exists(filepath.Join(root, "dev/dri/renderD*")) || exists(filepath.Join(root, "dev/nvidia0")))
}

func exists(pattern string) bool {
	found, _ := filepath.Glob(pattern)
	return len(found) > 0
}

// freeMemory is what Linux calls available, or less where a container has a limit.
func freeMemory(root string) int64 {
	f, err := os.Open(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0
	}
	defer f.Close()
	var free int64
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			free = kb << 10
		}
	}
	group := filepath.Join(root, "sys/fs/cgroup")
	limit, used := readNumber(filepath.Join(group, "memory.max")), readNumber(filepath.Join(group, "memory.current"))
	if limit > 0 && used >= 0 {
		free = min(free, max(limit-used, 1))
	}
	return free
}

func readNumber(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

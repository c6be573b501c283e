package assets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func nvidia(driver string, capability float64, gb int64) Machine {
	return Machine{OS: "linux", Arch: "amd64", Driver: driver, GPUs: []GPU{{Name: "NVIDIA X", Total: gb << 30, Free: gb << 30, Capability: capability}}, Free: 16 << 30}
}

func with(m Machine, loader, device bool) Machine {
	m.VulkanLoader, m.VulkanDevice = loader, device
	return m
}

func TestChoice(t *testing.T) {
	for name, c := range map[string]struct {
		machine Machine
		best    string
		why     string // of CUDA
	}{
		"nothing":                {Machine{OS: "linux", Arch: "amd64"}, "cpu", "no NVIDIA driver"},
		"new driver, Hopper":     {nvidia("580.65.06", 9, 100), "cuda", "NVIDIA X, driver 580.65.06"},
		"new driver, Turing":     {nvidia("581.0", 7.5, 8), "cuda", "NVIDIA X"},
		"new driver, Pascal":     {with(nvidia("580.65.06", 6.1, 8), true, true), "vulkan", "compute capability 6.1"},
		"old driver":             {with(nvidia("550.163.01", 8.6, 8), true, true), "vulkan", "is 550.163.01; CUDA 13 needs 580"},
		"old driver, no loader":  {with(nvidia("550.163.01", 8.6, 8), false, true), "cpu", "550"},
		"unknown capability":     {Machine{OS: "linux", Arch: "amd64", Driver: "580.1"}, "cpu", "did not say which GPU"},
		"AMD":                    {with(Machine{OS: "linux", Arch: "amd64", GPUs: []GPU{{Name: "AMD card0"}}}, true, true), "vulkan", "no NVIDIA driver"},
		"loader without device":  {with(Machine{OS: "linux", Arch: "amd64"}, true, false), "cpu", "no NVIDIA driver"},
		"macOS":                  {Machine{OS: "darwin", Arch: "arm64"}, "cpu", "Metal"},
		"ARM":                    {nvidia("580.1", 8.7, 8).on("arm64"), "cpu", "no CUDA build for arm64"},
		"a driver that is words": {nvidia("beta", 9, 8), "cpu", "needs 580"},
	} {
		t.Run(name, func(t *testing.T) {
			if best := c.machine.Best(); best.Kind != c.best {
				t.Errorf("chose %s (%s), want %s", best.Kind, best.Why, c.best)
			}
			if cuda := c.machine.Choices()[0]; cuda.Kind != "cuda" || !strings.Contains(cuda.Why, c.why) {
				t.Errorf("CUDA: %q, want %q", cuda.Why, c.why)
			}
		})
	}
}

func (m Machine) on(arch string) Machine { m.Arch = arch; return m }

func TestRecommend(t *testing.T) {
	ram := func(gb int64) Machine { return Machine{OS: "linux", Arch: "amd64", Free: gb << 30} }
	for name, c := range map[string]struct {
		machine Machine
		want    string
		where   string
	}{
		"24 GB card":                   {nvidia("580.1", 8.9, 24), "longwriter-zero-32b", "gpu"},
		"16 GB card":                   {nvidia("580.1", 8.9, 16), "qwen3-8b", "gpu"},
		"6 GB card":                    {nvidia("580.1", 8.9, 6), "qwen2.5-7b", "gpu"},
		"4 GB card":                    {nvidia("580.1", 8.9, 4), "qwen3-4b", "gpu"},
		"1 GB card, 16 GB of memory":   {nvidia("580.1", 8.9, 1), "qwen3-4b", "memory"},
		"card with an unusable driver": {nvidia("470.1", 8.9, 24), "qwen3-4b", "memory"},
		"64 GB":                        {ram(64), "qwen3-4b", "memory"},
		"4 GB":                         {ram(4), "qwen3-4b", "memory"},
		"3 GB":                         {ram(3), "qwen2.5-1.5b", "memory"},
		"2 GB":                         {ram(2), "qwen2.5-1.5b", "memory"},
		"1 GB":                         {ram(1), "", ""},
		"unknown":                      {ram(0), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, where, ok := c.machine.Recommend()
			if a.Name != c.want || where != c.where || ok != (c.want != "") {
				t.Errorf("recommends %q in %q, want %q in %q", a.Name, where, c.want, c.where)
			}
		})
	}
}

func TestMemory(t *testing.T) {
	a, _ := Find("qwen3-8b")
	// 2 x 36 layers x 1024 x 8192 cells x 2 bytes = 1.125 GiB
	if want := int64(5027783488) + 1152<<20 + 512<<20; a.Memory() != want {
		t.Errorf("needs %d, want %d", a.Memory(), want)
	}
	if (Model{Files: []Installed{{Bytes: 1}}}).Memory() != 0 {
		t.Error("a model of unknown shape has a known size")
	}
}

func TestProbe(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte(text), 0o644)
	}
	t.Setenv("PATH", root) // no nvidia-smi
	put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (root@x)  Sun Jul 27 07:12:32 UTC 2025\nGCC version:  gcc version 12.2.0\n")
	put("proc/meminfo", "MemTotal:       24683000 kB\nMemFree:         1000 kB\nMemAvailable:    8388608 kB\n")
	put("usr/lib/x86_64-linux-gnu/libvulkan.so.1", "")
	put("usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "{}")
	put("dev/dri/renderD128", "")
	m := probe(t.Context(), root)
	if m.Driver != "580.65.06" || m.Free != 8<<30 || !m.VulkanLoader || m.VulkanDevice {
		t.Errorf("found %+v", m)
	}
	put("usr/share/vulkan/icd.d/radeon_icd.x86_64.json", "{}")
	put("sys/class/drm/card0/device/mem_info_vram_total", "8589934592\n")
	put("sys/class/drm/card0/device/mem_info_vram_used", "1073741824\n")
	put("sys/fs/cgroup/memory.max", "4294967296\n")
	put("sys/fs/cgroup/memory.current", "1073741824\n")
	m = probe(t.Context(), root)
	if m.Free != 3<<30 || !m.VulkanDevice || len(m.GPUs) != 1 || m.GPUs[0].Free != 7<<30 || m.GPUFree() != 7<<30 {
		t.Errorf("found %+v", m)
	}
}

func TestReadSMI(t *testing.T) {
	var m Machine
	m.readSMI("NVIDIA H200, 580.65.06, 143771, 143155, 9.0\nTesla P4, 580.65.06, 7680, [N/A], 6.1\nbroken\n")
	if len(m.GPUs) != 2 || m.Driver != "580.65.06" || m.GPUs[0].Capability != 9 || m.GPUs[0].Free != 143155<<20 || m.GPUs[1].Free != 0 {
		t.Errorf("read %+v", m)
	}
}

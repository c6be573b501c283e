package assets

import (
	"fmt"
	"strconv"
	"strings"
)

// Choice says whether one build of llama.cpp serves a machine, and why.
type Choice struct {
	Kind string // "cuda", "vulkan", "cpu"
	OK   bool
	Why  string // for people: "NVIDIA H200, driver 580.65.06"
}

// What CUDA 13 asks for: the release notes of CUDA 13.0.
const (
	cudaDriver     = 580
	cudaCapability = 7.5
)

// Choices judges every kind, the fastest first. The first that is OK is the
// one to use; the processor always is.
func (m Machine) Choices() []Choice {
	cuda, vulkan := m.cuda(), m.vulkanChoice()
	return []Choice{cuda, vulkan, {Kind: "cpu", OK: true, Why: "always works"}}
}

// Best is the kind to use on this machine.
func (m Machine) Best() Choice {
	for _, c := range m.Choices() {
		if c.OK {
			return c
		}
	}
	return Choice{}
}

func (m Machine) cuda() Choice {
	no := func(format string, args ...any) Choice {
		return Choice{Kind: "cuda", Why: fmt.Sprintf(format, args...)}
	}
	if m.OS == "darwin" {
		return no("macOS has no CUDA; the build for the processor uses Metal")
	}
	if m.Arch != "amd64" {
		return no("there is no CUDA build for %s", m.Arch)
	}
	if m.Driver == "" {
		return no("no NVIDIA driver was found")
	}
	major, _, _ := strings.Cut(m.Driver, ".")
	if n, err := strconv.Atoi(major); err != nil || n < cudaDriver {
		return no("the NVIDIA driver is %s; CUDA 13 needs %d or newer", m.Driver, cudaDriver)
	}
	why := "nvidia-smi did not say which GPU there is"
	for _, g := range m.GPUs {
		if g.Capability >= cudaCapability {
			return Choice{Kind: "cuda", OK: true, Why: g.Name + ", driver " + m.Driver}
		}
		if g.Capability > 0 {
			why = fmt.Sprintf("%s has compute capability %.1f; CUDA 13 needs %.1f (Turing) or newer", g.Name, g.Capability, cudaCapability)
		}
	}
	return no("%s", why)
}

func (m Machine) vulkanChoice() Choice {
	c := Choice{Kind: "vulkan"}
	switch {
	case m.OS == "darwin":
		c.Why = "the build for the processor uses Metal"
	case !m.VulkanLoader:
		c.Why = "the Vulkan loader (libvulkan.so.1) is not installed"
	case !m.VulkanDevice:
		c.Why = "no GPU with a Vulkan driver was found"
	default:
		c.OK, c.Why = true, "a GPU with a Vulkan driver"
		if len(m.GPUs) > 0 {
			c.Why = m.GPUs[0].Name
		}
	}
	return c
}

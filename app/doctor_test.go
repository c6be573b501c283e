package main

import (
	"strings"
	"testing"

	"longhand/engine/enginetest"
)

func TestDoctorOnAnEmptyHome(t *testing.T) {
	t.Setenv("LONGHAND_LIBRARY", "")
	status, out, problems := command(t, t.TempDir(), "doctor", "--json")
	if status != 1 || !strings.Contains(problems, "engine") {
		t.Errorf("status %d: %s", status, problems)
	}
	seen := map[any]map[string]any{}
	for _, k := range events(t, out) {
		if k["event"] == "check" {
			seen[k["name"]] = k
		}
	}
	for _, name := range []string{"version", "data", "disk", "store", "engine", "gpu", "memory", "models"} {
		k := seen[name]
		if k == nil || k["detail"] == "" {
			t.Errorf("%s was not looked at: %v", name, k)
		}
		if _, ok := k["hint"]; !ok {
			t.Errorf("%s: the hint is left out", name)
		}
	}
	if e := seen["engine"]; e["ok"] != false || e["hint"] != "longhand models pull llama.cpp" {
		t.Errorf("engine: %v", e)
	}
	if m := seen["models"]; m["ok"] != false || m["hint"] == nil {
		t.Errorf("models: %v", m)
	}
}

func TestDoctorNamesAHomeThatCannotBeWritten(t *testing.T) {
	t.Setenv("LONGHAND_LIBRARY", "")
	status, out, _ := command(t, "/dev/null/home", "doctor")
	if status != 1 || !strings.Contains(out, "set LONGHAND_HOME") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

// The devices are listed by a child process, which is this test binary.
func TestDoctorListsDevices(t *testing.T) {
	t.Setenv("LONGHAND_LIBRARY", enginetest.Library(t))
	_, out, _ := command(t, t.TempDir(), "doctor", "--json")
	for _, k := range events(t, out) {
		if k["name"] == "devices" {
			if k["ok"] != true || !strings.Contains(k["detail"].(string), "CPU") {
				t.Errorf("devices: %v", k)
			}
			return
		}
	}
	t.Errorf("no devices were listed:\n%s", out)
}

func TestABrokenEngineIsNamed(t *testing.T) {
	t.Setenv("LONGHAND_LIBRARY", t.TempDir())
	status, out, _ := command(t, t.TempDir(), "doctor", "--json")
	if status != 1 || !strings.Contains(out, `"name":"devices","ok":false`) {
		t.Errorf("status %d:\n%s", status, out)
	}
}

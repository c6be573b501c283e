package manuscript

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestPandoc reads Word documents that another program wrote.
func TestPandoc(t *testing.T) {
	pandoc, err := exec.LookPath("pandoc")
	if err != nil {
		t.Skip("pandoc is not installed: no Word document but the handmade ones is read")
	}
	golden(t, "pandoc*.txt", func(t *testing.T, fs []file) (Manuscript, error) {
		cmd := exec.CommandContext(t.Context(), pandoc, "--from", "markdown-smart", "--to", "docx", "--toc", "--output", "-")
		cmd.Stdin = strings.NewReader(fs[0].text)
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil {
			t.Fatalf("pandoc: %v: %s", err, &problems)
		}
		return Read(strings.TrimSuffix(fs[0].name, ".md")+".docx", out.Bytes())
	})
}

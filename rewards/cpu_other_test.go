//go:build !unix

package rewards

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

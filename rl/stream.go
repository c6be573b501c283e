package rl

// Every random number of a run comes from its seed and from what it is for, never from
// what was drawn before: a run that goes on after a kill draws the same.

// What a stream is for.
const (
	streamOrder uint64 = iota + 1
	streamRollout
	streamWarmup
	streamEval
	streamProbe
	streamReward
)

// mix makes one number of several; changing any of them, or their order, makes another one
// (splitmix64's finaliser, by Steele, Lea and Flood, after each).
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h = (h ^ p) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// order is the order of n things in an epoch: a shuffle by Fisher and Yates.
func order(seed, stream, epoch uint64, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
		j := int(mix(seed, stream, epoch, uint64(i)) % uint64(i+1))
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// pick are the things of a step: count of them, epoch after epoch without a gap.
func pick(seed, stream uint64, n, step, count int) (picked []int) {
	var epoch []int
	for at := step * count; at < (step+1)*count; at++ {
		if epoch == nil || at%n == 0 {
			epoch = order(seed, stream, uint64(at/n), n)
		}
		picked = append(picked, epoch[at%n])
	}
	return picked
}

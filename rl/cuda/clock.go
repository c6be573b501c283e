//go:build cuda

package cuda

import (
	"maps"

	"gorgonia.org/cu"
)

// clock counts the card's seconds by name, between events. Of the queue's thread.
type clock struct {
	seconds map[string]float64
	marks   []mark // the last one's time goes on
	spare   []cu.Event
}

type mark struct {
	name string
	at   cu.Event
}

// mostMarks wait to be counted.
const mostMarks = 2048

// set begins to count under a name.
func (c *clock) set(name string) error {
	if n := len(c.marks); n > 0 && c.marks[n-1].name == name {
		return nil
	}
	var at cu.Event
	if n := len(c.spare); n > 0 {
		at, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		var err error
		if at, err = cu.MakeEvent(cu.DefaultEvent); err != nil {
			return err
		}
	}
	if err := at.Record(cu.Stream{}); err != nil {
		return err
	}
	c.marks = append(c.marks, mark{name, at})
	if len(c.marks) < mostMarks {
		return nil
	}
	return c.count()
}

// count adds up what lies between the marks, and keeps the last one.
func (c *clock) count() error {
	n := len(c.marks)
	if n == 0 {
		return nil
	}
	if err := c.marks[n-1].at.Synchronize(); err != nil {
		return err
	}
	if c.seconds == nil {
		c.seconds = map[string]float64{}
	}
	for i, m := range c.marks[:n-1] {
		ms, err := m.at.Elapsed(c.marks[i+1].at)
		if err != nil {
			return err
		}
		c.seconds[m.name] += ms / 1000
		c.spare = append(c.spare, m.at)
	}
	c.marks[0] = c.marks[n-1]
	c.marks = c.marks[:1]
	return nil
}

func (c *clock) close() {
	for _, m := range c.marks {
		_ = cu.DestroyEvent(&m.at)
	}
	for i := range c.spare {
		_ = cu.DestroyEvent(&c.spare[i])
	}
	*c = clock{}
}

// Mark names what is computed from here on.
func (d *Device) Mark(name string) {
	if !d.trace {
		d.queue.add(func() error { return d.clock.set(name) })
	}
}

// do makes a call of a method later.
func (d *Device) do(method string, f func() error) {
	d.queue.add(func() error {
		if d.trace {
			if err := d.clock.set(method); err != nil {
				return err
			}
		}
		return f()
	})
}

// Times is the card's seconds by name.
func (d *Device) Times() (t map[string]float64) {
	_ = d.queue.wait(func() error {
		if n := len(d.clock.marks); n > 0 {
			last := d.clock.marks[n-1].name
			if err := d.clock.set(""); err != nil { // ends what is under way
				return err
			}
			if err := d.clock.count(); err != nil {
				return err
			}
			if err := d.clock.set(last); err != nil {
				return err
			}
		}
		t = maps.Clone(d.clock.seconds)
		delete(t, "")
		return nil
	})
	if t == nil {
		t = map[string]float64{}
	}
	return t
}

package main

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"time"
)

// One window at a time has a data folder: a second start has the first show its
// window. They talk over a socket that is a file in that folder; no network is
// asked.

const (
	raiseAsk    = "longhand: show the window\n"
	raiseAnswer = "shown\n"
	longestPath = 100 // of a socket; systems take 104 to 108 bytes
)

// socket is the file by which the window of this data folder is reached.
func (e *env) socket() string {
	path := filepath.Join(e.home, "window.sock")
	if len(path) > longestPath {
		h := fnv.New64a()
		h.Write([]byte(path))
		path = filepath.Join(os.TempDir(), fmt.Sprintf("longhand-%d-%x.sock", os.Getuid(), h.Sum64()))
	}
	return path
}

// raise asks the Longhand whose window is open to show it; false: none answers.
func (e *env) raise() bool {
	c, err := net.DialTimeout("unix", e.socket(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := c.Write([]byte(raiseAsk)); err != nil {
		return false
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && answer == raiseAnswer
}

// listen calls show whenever another start asks for the window, until it is
// stopped. Where no socket can be made, a second window simply opens.
func (e *env) listen(show func()) (stop func()) {
	path := e.socket()
	if !e.raise() {
		os.Remove(path) // of a Longhand that was killed
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return func() {}
	}
	os.Chmod(path, 0o600)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(3 * time.Second))
			if ask, err := bufio.NewReader(c).ReadString('\n'); err == nil && ask == raiseAsk {
				show()
				c.Write([]byte(raiseAnswer))
			}
			c.Close()
		}
	}()
	return func() { l.Close() }
}

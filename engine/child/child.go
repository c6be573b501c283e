// Package child puts work that may crash or hang into a process of its own,
// behind calls that stream their results.
//
// The parent starts the child with pipes on its standard input and output. The
// child's first line is its version; from then on both sides write one JSON
// object a line. A call has an id, so several can be open at once. The end of
// its input ends the child, whatever it is doing: a parent that is gone leaves
// nothing behind.
//
//	parent: {"id":1,"call":"generate","params":{...}}   begins a call
//	        {"id":1,"more":32}                          32 more results may come
//	        {"id":1,"cancel":true}                      the rest is not wanted
//	child:  {"id":1,"result":{...}}                     any number of these, then
//	        {"id":1,"end":true}                         or
//	        {"id":1,"end":true,"error":{"code":"...","message":"..."}}
//
// A child runs at most 64 results ahead of whoever reads them, so a caller that
// pauses pauses the child.
//
// The package does not know what is called. It serves the engine and the
// trainer. Read Protocol.Start for the parent's side, Protocol.Serve for the
// child's, message.go for the lines.
package child

import "errors"

// A Protocol is what the two sides agree on.
type Protocol struct {
	Version string           // the child's first line, such as "longhand engine 1"
	Errors  map[string]error // errors that callers ask for with errors.Is, by the code that stands for them on the way
}

// window is how many results the child may be ahead of their reader. The reader
// allows more when half of it is used, so the child does not stop in between.
const window = 64

// An Error was returned by the child's handler.
type Error struct {
	Message string
	is      error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.is }

// failure puts an error into a reply.
func (p Protocol) failure(err error) *failure {
	f := &failure{Message: err.Error()}
	for code, is := range p.Errors {
		if errors.Is(err, is) {
			f.Code = code
		}
	}
	return f
}

// error takes an error out of a reply.
func (p Protocol) error(f *failure) error {
	return &Error{Message: f.Message, is: p.Errors[f.Code]}
}

// Died says that the child ended although nobody asked it to.
type Died struct {
	State  string // "signal: killed", "exit status 2", or what it did to be killed
	Reason string // the last line of its standard error that is not a stack trace; may be empty
	Stderr string // the end of its standard error
}

func (d *Died) Error() string {
	if d.Reason == "" {
		return "the process died: " + d.State
	}
	return "the process died: " + d.Reason + " (" + d.State + ")"
}

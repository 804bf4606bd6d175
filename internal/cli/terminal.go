// Here: whether a person sits there.

package cli

import (
	"os"

	"golang.org/x/term"
)

// IsTerminal says whether a person sits at the other end of a program's standard
// stream.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns how many columns the terminal has that a stream is, and 0 if it is
// none.
func Width(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

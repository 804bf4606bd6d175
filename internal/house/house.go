// Package house holds the rules of this repository, as tests: what each package
// may import, how long files and functions may be, what has to be documented. A
// rule that a test holds needs no reviewer. Each failure says where and what to
// do.
package house

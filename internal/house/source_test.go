package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is what the import paths of our packages begin with.
const module = "github.com/rowlock/rowlock"

// A file is one Go file of the module.
type file struct {
	*ast.File
	path    string // from the repository's root, with slashes
	dir     string // "." for the root
	isTest  bool
	content string
}

var fset = token.NewFileSet()

// files returns all Go files of the module, but not those of modules within it.
func files(t *testing.T) []file {
	t.Helper()
	all, err := parseOnce()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

var parseOnce = sync.OnceValues(func() (all []file, err error) {
	root := os.DirFS("../..")
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && foreign(root, name, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(root, name)
		all = append(all, f)
		return err
	})
	return all, err
})

// foreign reports whether a folder is none of the module's.
func foreign(root fs.FS, name, base string) bool {
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(root, path.Join(name, "go.mod"))
	return err == nil
}

func parse(root fs.FS, name string) (file, error) {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return file{}, err
	}
	parsed, err := parser.ParseFile(fset, filepath.FromSlash(name), content, parser.ParseComments)
	return file{
		File: parsed, path: name, dir: path.Dir(name),
		isTest: strings.HasSuffix(name, "_test.go"), content: string(content),
	}, err
}

// line returns the number of the line that a node starts or ends in.
func line(p token.Pos) int { return fset.Position(p).Line }

// generated reports whether nobody writes the file by hand.
func (f file) generated() bool { return ast.IsGenerated(f.File) }
